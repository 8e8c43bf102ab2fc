// A shop whose orders are kept (the role boutique): where this process stands before its services.

import { integer, type Mistake, matching, optional, type Values } from './kinds.js';
import type { nodeVariables } from './node.js';

const upstream = optional(
  'host:port, such as checkoutservice:5050',
  matching(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):\d{1,5}$/),
);

export const boutiqueVariables = {
  BOUTIQUE_PORT: integer(5050, 0, 65_535),
  CHECKOUT_UPSTREAM: upstream,
  EMAIL_UPSTREAM: upstream,
};

type Env = Values<typeof boutiqueVariables> & Pick<Values<typeof nodeVariables>, 'ROLES'>;

export const boutiqueMistakes = ({ ROLES: roles, CHECKOUT_UPSTREAM, EMAIL_UPSTREAM }: Env): readonly Mistake[] =>
  !roles.has('boutique') || CHECKOUT_UPSTREAM !== undefined || EMAIL_UPSTREAM !== undefined
    ? []
    : [
        {
          name: 'CHECKOUT_UPSTREAM',
          allowed: 'set, or EMAIL_UPSTREAM must be: the role boutique passes calls on to a service of the shop',
        },
      ];

export const boutiqueSettings = (env: Env) => ({
  boutique: {
    port: env.BOUTIQUE_PORT,
    /** `host:port` of the shop's own service. */
    checkout: env.CHECKOUT_UPSTREAM,
    email: env.EMAIL_UPSTREAM,
  },
});
