/**
 * Who asks, and what they may. The whole of it, pure; http/auth.ts finds out who it is.
 *
 *  A1. `admin` implies every scope.
 *  A2. A principal with a user is a customer: nothing that belongs to another user exists for it. One
 *      without is a service, which sees all.
 *  A3. What takes a service (`service:`) no customer may do, whatever its scopes.
 *  A4. Two callers never meet under one idempotency key (`callerOf`).
 */
import type { UserId } from './ids.js';

export const SCOPES = ['orders:read', 'orders:write', 'inventory:write', 'admin'] as const;
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
export type Access = 'none' | 'told' | 'any' | Scope | `service:${Scope}`;

/** Everybody, while AUTH is off. */
export const ANYONE: Principal = { subject: 'anyone', userId: undefined, scopes: new Set(['admin']) };

export const isScope = (word: string): word is Scope => SCOPES.some((scope) => scope === word);

export const has = ({ scopes }: Principal, scope: Scope): boolean => scopes.has('admin') || scopes.has(scope);

/** What keeps a principal from an operation; undefined: nothing. */
export function lacks(principal: Principal, access: Access): Lack | undefined {
  if (access === 'none' || access === 'told' || access === 'any') return undefined;
  const isForService = access.startsWith('service:');
  const scope = (isForService ? access.slice('service:'.length) : access) as Scope;
  if (!has(principal, scope)) return { kind: 'scope', scope };
  return isForService && principal.userId !== undefined ? { kind: 'service' } : undefined;
}

export type Lack = { readonly kind: 'scope'; readonly scope: Scope } | { readonly kind: 'service' };

/** Whether what belongs to this user exists for the principal (A2). */
export const sees = ({ userId }: Principal, owner: UserId): boolean => userId === undefined || userId === owner;

/**
 * What an idempotency key counts for, beside the order's user. A customer is its user, however it has shown
 * that: by a key or by a token it may read and change exactly the orders of that user, so an order is the same
 * to it either way, and a repeat under the other credential must not be a second order. Nothing is added
 * then, as without authentication, so turning it on keeps the keys of customers. A service acts for many
 * users and must meet neither them nor another service: its subject is added.
 */
export const callerOf = (principal: Principal): string =>
  principal === ANYONE || principal.userId !== undefined ? '' : principal.subject;
