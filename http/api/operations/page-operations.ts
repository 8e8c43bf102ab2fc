/** Operations that were made for the page at `/`, and that any other client may use: who am I, and how does this node fare. */
import { operation } from '../operation.js';
import { meReply, overviewQuery, overviewReply } from '../overview-schemas.js';
import { busyOverview } from './examples.js';

export const pageOperations = [
  operation({
    method: 'GET',
    path: '/api/me',
    id: 'getMe',
    tag: 'Operations',
    scope: 'any',
    ports: 'main',
    summary: 'Show who you are, and what you may do',
    description: 'While `AUTH` is off, everyone may do everything.',
    examples: [{ name: 'Ask' }],
    success: {
      200: {
        description: 'The caller.',
        schema: meReply,
        example: {
          status: 'success',
          data: {
            ...{ auth: 'keys', subject: 'key:shop', user_id: null, scopes: ['orders:read', 'orders:write'] },
            ...{ environment: 'production', gremlin: false },
          },
        },
      },
    },
    handle: ({ me }, _input, { principal }) => me.show(principal),
  }),
  operation({
    method: 'GET',
    path: '/internal/overview',
    id: 'getOverview',
    tag: 'Operations',
    scope: 'service:metrics:read',
    ports: 'both',
    summary: 'Show what this node did in the last ten minutes',
    description:
      'Outcomes and times are of the node that answers. Metrics for a monitoring system are at `/metrics`; this is for a look at one node.',
    query: overviewQuery,
    examples: [{ name: 'Ask' }, { name: 'What came since', query: { after: '2026-11-21T11:49:34.506Z' } }],
    success: {
      200: { description: 'One sample for every two seconds.', schema: overviewReply, example: busyOverview },
    },
    handle: ({ overview }, { query }) => overview.show(query),
  }),
];
