/** Who the caller is, and what it may do: for a client that shows its user only what that one may use. */
import { may, type Principal, SCOPES } from '../../actors/principal.js';
import { type Answer, success } from '../api/reply.js';

export interface Surroundings {
  /** How callers are known: not at all, or by keys and tokens. */
  readonly auth: 'off' | 'keys';
  readonly environment: 'development' | 'production';
  /** Whether the gremlin may be switched on. */
  readonly gremlin: boolean;
}

export class Me {
  constructor(private readonly surroundings: Surroundings) {}

  show = async (principal: Principal): Promise<Answer> => {
    const { auth, environment, gremlin } = this.surroundings;
    const { subject, userId } = principal;
    const scopes = SCOPES.filter((scope) => may(principal, scope));
    return success(200, JSON.stringify({ auth, subject, user_id: userId ?? null, scopes, environment, gremlin }));
  };
}
