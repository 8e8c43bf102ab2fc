/**
 * Who makes a request, and what this caller may do. All rules are pure functions; http/auth/auth.ts finds the principal.
 *
 *  A1. `admin` implies every scope.
 *  A2. A principal with a user is a customer: data of other users does not exist for it. A principal without a user is a
 *      service, which sees all data.
 *  A3. An operation for services (`service:`) is closed to customers, whatever their scopes.
 *  A4. Two callers never share an idempotency key (`callerOf`, `serviceOf`).
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
 * What an operation requires: nothing; any valid credential; a scope; a scope of a service.
 * `told`: nothing, but a caller with a valid credential gets a longer reply.
 */
export type Demand = 'none' | 'told' | 'any' | Scope | `service:${Scope}`;

/** Every caller, while AUTH is off. */
export const ANYONE: Principal = { subject: '', userId: undefined, scopes: new Set(['admin']) };

/** A caller without a credential. It has a user that nobody can be, so no data exists for it. */
export const NOBODY: Principal = { subject: 'nobody', userId: userId(''), scopes: new Set() };

export const isScope = (word: string): word is Scope => SCOPES.some((scope) => scope === word);

export const may = ({ scopes }: Principal, scope: Scope): boolean => scopes.has('admin') || scopes.has(scope);

/** What the principal lacks for an operation; undefined when nothing. */
export function lacks(principal: Principal, demand: Demand): Lack | undefined {
  if (demand === 'none' || demand === 'told' || demand === 'any') return undefined;
  const isForService = demand.startsWith('service:');
  const scope = (isForService ? demand.slice('service:'.length) : demand) as Scope;
  if (!may(principal, scope)) return { kind: 'scope', scope };
  return isForService && principal.userId !== undefined ? { kind: 'service' } : undefined;
}

type Lack = { readonly kind: 'scope'; readonly scope: Scope } | { readonly kind: 'service' };

/** Whether data of this user exists for the principal (principal.A2). */
export const sees = ({ userId }: Principal, owner: UserId): boolean => userId === undefined || userId === owner;

/**
 * The caller to whom an idempotency key belongs (principal.A4). All credentials of a customer are one caller: each
 * reads and changes exactly the orders of its user. So a request repeated with another credential must not have its
 * effect twice. '' while AUTH is off.
 */
export const callerOf = ({ userId, subject }: Principal): string => (userId === undefined ? subject : `user:${userId}`);

/**
 * The part of a caller that is not the order's user. It is empty for a customer, who orders only for itself, so its keys
 * stay valid when AUTH is turned on. A service acts for many users: its keys must differ from theirs, and from the keys
 * of other services.
 */
export const serviceOf = ({ userId, subject }: Principal): string => (userId === undefined ? subject : '');
