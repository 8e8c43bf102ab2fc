/**
 * Whether a request is let in to an operation: 401 for who does not say who it is, 403 for who may not.
 *
 * It comes before anything else of the request is looked at; only what can be asked by everybody is not stopped
 * here. While AUTH is off it costs nothing and everybody is ANYONE.
 */
import type { UserId } from '../../actors/ids.js';
import { ANYONE, type Demand, lacks, NOBODY, type Principal, sees } from '../../actors/principal.js';
import type { ApiRequest } from '../api/api-request.js';
import { Failure } from '../api/failure.js';
import type { Auth } from './auth.js';

/** Writes down in `asked` who asks, or throws the refusal. */
export type Admit = (request: ApiRequest, demand: Demand) => Promise<void> | undefined;

/** Who asks before it is looked at. */
export const beforeAdmission = (auth: Auth | undefined): Principal => (auth === undefined ? ANYONE : NOBODY);

export function admission(auth: Auth | undefined): Admit {
  if (auth === undefined) return () => undefined;
  return async (request, demand) => {
    if (demand === 'none') return;
    try {
      request.principal = await auth.principal(request.req);
    } catch (error) {
      // Who is told more when it is known is told the rest when it is not, also while nobody can be known.
      if (demand === 'told') return;
      throw error;
    }
    const lack = lacks(request.principal, demand);
    if (lack !== undefined) throw lack.kind === 'service' ? forCustomers() : withoutScope(lack.scope);
  };
}

// ---------------------------------------------------------------- what belongs to whom

/** Throws the 403 of a customer that acts for another. */
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
