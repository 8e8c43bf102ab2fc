/** Operations of the gremlin, which injects faults on purpose. They switch it on and off for all nodes. */

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
    summary: 'Start the gremlin',
    description: `The gremlin makes trouble on purpose, on all nodes. Orders stay correct. Without a body, it delays every third inventory request by 5 s. An inventory request is the hold of an order or a call of \`/api/inventory\`.\n\nA new setting replaces the old one. The gremlin stops by itself after \`for_s\` seconds (${limits.gremlinForSDefault} if it is left out). It never touches health, metrics and internal routes.`,
    body: gremlinBody,
    optionalBody: true,
    examples: [
      { name: 'Delay every third inventory request by 5 s', body: {} },
      {
        name: 'Lose answers of the payment provider',
        body: { target: 'payment', kind: 'drop', probability: 0.2, for_s: 60, seed: 7 },
      },
    ],
    success: {
      200: {
        description: 'The gremlin is on. This node obeys at once, the others within a second.',
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
    summary: 'Stop the gremlin',
    examples: [{ name: 'Off' }],
    success: {
      200: {
        description: 'The gremlin is off. Its counts stay visible.',
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
    summary: 'Show the gremlin and what it did',
    description: 'The counts are of the node that answers, since the gremlin was switched on.',
    examples: [{ name: 'Ask' }],
    success: {
      200: {
        description: 'The rules and counts of the gremlin, now or when it was last on.',
        schema: gremlinReply,
        example: { status: 'success', data: busyGremlin },
      },
    },
    handle: ({ gremlin }) => gremlin.status(),
  }),
];
