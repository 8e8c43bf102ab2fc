/**
 * Admission decides whether a caller may use an operation: 401 without valid credentials, 403 without permission.
 *
 * It comes before any other check of the request. Only open operations skip it. While AUTH is off it costs nothing,
 * and every caller is ANYONE.
 */
import type { UserId } from '../../actors/ids.js';
import { ANYONE, type Demand, lacks, NOBODY, type Principal, sees } from '../../actors/principal.js';
import type { ApiRequest } from '../api/api-request.js';
import { Failure } from '../api/failure.js';
import type { Auth } from './auth.js';

/** Sets `request.principal`, or throws the refusal. */
export type Admit = (request: ApiRequest, demand: Demand) => Promise<void> | undefined;

/** The principal of a request before its admission. */
export const beforeAdmission = (auth: Auth | undefined): Principal => (auth === undefined ? ANYONE : NOBODY);

export function admission(auth: Auth | undefined): Admit {
  if (auth === undefined) return () => undefined;
  return async (request, demand) => {
    if (demand === 'none') return;
    try {
      request.principal = await auth.principal(request.req);
    } catch (error) {
      // A `told` operation is open to unknown callers, who see less. That holds even while no credential can be checked.
      if (demand === 'told') return;
      throw error;
    }
    const lack = lacks(request.principal, demand);
    if (lack !== undefined) throw lack.kind === 'service' ? forCustomers() : withoutScope(lack.scope);
  };
}

// ---------------------------------------------------------------- ownership

/** @throws Failure 403 if a customer acts for another user. */
export function mustActFor({ principal }: ApiRequest, user: UserId, field: string): void {
  if (sees(principal, user)) return;
  const message = `${field} is not the user of this key or token.`;
  throw new Failure(403, 'forbidden', message, { errors: [{ field, message }] });
}

// ---------------------------------------------------------------- refusals

const withoutScope = (scope: string): Failure =>
  new Failure(403, 'forbidden', `This key or token does not have the scope ${scope}.`, {
    headers: ['WWW-Authenticate', `Bearer error="insufficient_scope", scope="${scope}"`],
  });

const forCustomers = (): Failure =>
  new Failure(403, 'forbidden', 'Customers cannot do this. It needs the key of a service.');
