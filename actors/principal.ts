/**
 * Who asks, and what they may. The whole of it, pure; http/auth/auth.ts finds out who it is.
 *
 *  A1. `admin` implies every scope.
 *  A2. A principal with a user is a customer: nothing that belongs to another user exists for it. One
 *      without is a service, which sees all.
 *  A3. What takes a service (`service:`) no customer may do, whatever its scopes.
 *  A4. Two callers never meet under one idempotency key (`callerOf`, `serviceOf`).
 */
import { type UserId, userId } from './ids.js';

export const SCOPES = ['orders:read', 'orders:write', 'inventory:write', 'metrics:read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Principal {
  /** The same for all credentials of one caller; without control characters. */
  readonly subject: string;
  readonly userId: UserId | undefined;
  readonly scopes: ReadonlySet<Scope>;
}

/**
 * What an operation takes: nothing; any valid credential; a scope; a scope of a service.
 * `told`: nothing, but who has a valid credential is told more.
 */
export type Demand = 'none' | 'told' | 'any' | Scope | `service:${Scope}`;

/** Everybody, while AUTH is off. */
export const ANYONE: Principal = { subject: '', userId: undefined, scopes: new Set(['admin']) };

/** Who has shown nothing: a user that nobody can be, so nothing exists for it. */
export const NOBODY: Principal = { subject: 'nobody', userId: userId(''), scopes: new Set() };

export const isScope = (word: string): word is Scope => SCOPES.some((scope) => scope === word);

const has = ({ scopes }: Principal, scope: Scope): boolean => scopes.has('admin') || scopes.has(scope);

/** What keeps a principal from an operation; undefined: nothing. */
export function lacks(principal: Principal, demand: Demand): Lack | undefined {
  if (demand === 'none' || demand === 'told' || demand === 'any') return undefined;
  const isForService = demand.startsWith('service:');
  const scope = (isForService ? demand.slice('service:'.length) : demand) as Scope;
  if (!has(principal, scope)) return { kind: 'scope', scope };
  return isForService && principal.userId !== undefined ? { kind: 'service' } : undefined;
}

type Lack = { readonly kind: 'scope'; readonly scope: Scope } | { readonly kind: 'service' };

/** Whether what belongs to this user exists for the principal (principal.A2). */
export const sees = ({ userId }: Principal, owner: UserId): boolean => userId === undefined || userId === owner;

/**
 * Whom an idempotency key counts for (principal.A4). All credentials of a customer are one caller: by a key or by a
 * token, it may read and change exactly the orders of its user, so what it repeats under the other one must not
 * happen twice. '' while AUTH is off.
 */
export const callerOf = ({ userId, subject }: Principal): string => (userId === undefined ? subject : `user:${userId}`);

/**
 * The same beside an order's user, who stands in the order: nothing is added for a customer, who orders for
 * itself alone, so its keys stay good when AUTH is turned on. A service acts for many users and must meet
 * neither them nor another service.
 */
export const serviceOf = ({ userId, subject }: Principal): string => (userId === undefined ? subject : '');
