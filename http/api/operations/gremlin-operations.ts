/** The gremlin: trouble on purpose, switched on and off for all nodes at once. */

import { limits } from '../../../actors/limits.js';
import { operation } from '../operation.js';
import { gremlinReply, gremlinWriteReply } from '../reply-schemas.js';
import { gremlinBody } from '../schemas.js';
import { busyGremlin } from './examples.js';

const off = { ...busyGremlin, enabled: false };

export const gremlinOperations = [
  operation({
    method: 'POST',
    path: '/internal/gremlin/enable',
    id: 'enableGremlin',
    disruptive: true,
    tag: 'Operations',
    scope: 'admin',
    ports: 'both',
    summary: 'Make trouble on purpose',
    description: `Orders stay right under it. Without a body every third inventory request (a Hold of an order, or a call of /api/inventory) is handled 5 s late, and no other. It replaces what was on, holds for all nodes, and ends by itself after for_s (${limits.gremlinForSDefault} when it is not said). Health, metrics and internal routes are never troubled.`,
    body: gremlinBody,
    optionalBody: true,
    examples: [
      { name: 'Every third inventory request 5 s late', body: {} },
      {
        name: 'A payment provider whose answers get lost',
        body: { target: 'payment', kind: 'drop', probability: 0.2, for_s: 60, seed: 7 },
      },
    ],
    success: {
      200: {
        description: 'It is on; this node obeys at once, the others within a second.',
        schema: gremlinWriteReply,
        example: { status: 'success', message: 'The gremlin is on', data: { ...busyGremlin, asked: {}, hits: {} } },
      },
    },
    errors: ['gremlin_off'],
    handle: ({ gremlin }, { body }) => gremlin.enable(body),
  }),
  operation({
    method: 'POST',
    path: '/internal/gremlin/disable',
    id: 'disableGremlin',
    tag: 'Operations',
    scope: 'admin',
    ports: 'both',
    summary: 'End the trouble',
    examples: [{ name: 'Off' }],
    success: {
      200: {
        description: 'It is off; what it did stays to be seen.',
        schema: gremlinWriteReply,
        example: { status: 'success', message: 'The gremlin is off', data: off },
      },
    },
    errors: ['gremlin_off'],
    handle: ({ gremlin }) => gremlin.disable(),
  }),
  operation({
    method: 'GET',
    path: '/internal/gremlin/status',
    id: 'getGremlin',
    tag: 'Operations',
    scope: 'admin',
    ports: 'both',
    summary: 'What the gremlin is told, and did so far',
    description: 'Counts are those of the node that answers, since the gremlin was switched on.',
    examples: [{ name: 'Ask' }],
    success: {
      200: {
        description: 'Rule and counts of what is on, or was on last.',
        schema: gremlinReply,
        example: { status: 'success', data: busyGremlin },
      },
    },
    handle: ({ gremlin }) => gremlin.status(),
  }),
];
