/** How the node is, and the reference itself. None needs a body, most need no credentials. */

import { z } from 'zod';
import { operation } from '../operation.js';
import { healthReply, livenessReply, readinessReply } from '../reply-schemas.js';
import { healthyNode } from './examples.js';

const ready = (path: string, id: string, summary: string, description: string) =>
  operation({
    method: 'GET',
    path,
    id,
    tag: 'Operations',
    scope: 'none',
    ports: 'both',
    summary,
    description,
    examples: [{ name: 'Ask' }],
    success: {
      200: {
        description: 'It can: a write has just got through.',
        schema: readinessReply,
        example: { status: 'ready' },
      },
    },
    errors: ['not_ready'],
    handle: ({ health }) => health.ready(),
  });

export const nodeOperations = [
  operation({
    method: 'GET',
    path: '/health',
    id: 'getHealth',
    tag: 'Operations',
    scope: 'told',
    ports: 'both',
    summary: 'How this node and its parts are',
    description:
      'For people. Answers within two seconds, also when a part does not. Without a valid key or token, where AUTH is on, it tells no more than the status.',
    examples: [{ name: 'Ask' }],
    success: {
      200: { description: 'ok, or degraded: it serves.', schema: healthReply, example: healthyNode },
      503: {
        description: 'It does not serve.',
        schema: healthReply,
        example: {
          ...healthyNode,
          status: 'down',
          dependencies: { postgres: { status: 'down' }, nats: { status: 'up' }, redis: { status: 'off' } },
        },
      },
    },
    handle: ({ health }, _input, request) => health.health(request),
  }),
  operation({
    method: 'GET',
    path: '/livez',
    id: 'getLiveness',
    tag: 'Operations',
    scope: 'none',
    ports: 'both',
    summary: 'Whether this process lives',
    examples: [{ name: 'Ask' }],
    success: {
      200: {
        description: 'It does.',
        schema: livenessReply,
        example: { status: 'alive' },
      },
    },
    handle: ({ health }) => health.live(),
  }),
  ready(
    '/readyz',
    'getReadiness',
    'Whether this node can serve',
    'A real write to the journal and to Postgres, with a deadline: within two seconds.',
  ),
  ready('/ready', 'getReady', 'Whether it can serve (short name)', 'The same as /readyz.'),
  operation({
    method: 'GET',
    path: '/metrics',
    id: 'getMetrics',
    tag: 'Operations',
    scope: 'admin',
    ports: 'both',
    summary: 'What this node counts',
    examples: [{ name: 'Scrape' }],
    success: {
      200: {
        description: 'In the text format of Prometheus.',
        schema: z.string(),
        example: 'holdfast_http_requests_in_flight 1\n',
        contentType: 'text/plain',
      },
    },
    handle: ({ health }) => health.metrics(),
  }),
  operation({
    method: 'GET',
    path: '/openapi.json',
    id: 'getOpenApi',
    etag: true,
    tag: 'Operations',
    scope: 'none',
    ports: 'both',
    summary: 'The OpenAPI document',
    examples: [{ name: 'For a generator of clients' }],
    success: {
      200: {
        description: 'OpenAPI 3.1.',
        schema: z.looseObject({ openapi: z.literal('3.1.1') }).meta({ id: 'OpenApiDocument' }),
        example: { openapi: '3.1.1' },
      },
    },
    handle: ({ reference }) => reference.document(),
  }),
  operation({
    method: 'GET',
    path: '/docs',
    id: 'getDocs',
    etag: true,
    tag: 'Operations',
    scope: 'none',
    ports: 'both',
    summary: 'This page',
    examples: [{ name: 'In a browser' }],
    success: {
      200: {
        description: 'A page that loads nothing from elsewhere.',
        schema: z.string(),
        example: '<!doctype html>',
        contentType: 'text/html',
      },
    },
    handle: ({ reference }, _input, request) => reference.page(request),
  }),
];
