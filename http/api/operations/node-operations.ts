/** Operations on the node: health, metrics and the reference. None takes a body, and most need no credentials. */

import { z } from 'zod';
import { operation } from '../operation.js';
import { healthReply, livenessReply, placementReply, readinessReply } from '../reply-schemas.js';
import { healthyNode, placedNodes } from './examples.js';

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
        description: 'The node can serve: a write has just succeeded.',
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
    summary: 'Show the health of this node and its parts',
    description:
      'For people. It answers within two seconds, even if a part does not answer. If `AUTH` is on, a client without a valid key or token sees only the status.',
    examples: [{ name: 'Ask' }],
    success: {
      200: { description: 'The node serves. Its status is ok or degraded.', schema: healthReply, example: healthyNode },
      503: {
        description: 'The node does not serve.',
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
    summary: 'Check that this process is alive',
    examples: [{ name: 'Ask' }],
    success: {
      200: {
        description: 'The process is alive.',
        schema: livenessReply,
        example: { status: 'alive' },
      },
    },
    handle: ({ health }) => health.live(),
  }),
  ready(
    '/readyz',
    'getReadiness',
    'Check that this node can serve',
    'Makes a real write to the journal and to Postgres. It answers within two seconds.',
  ),
  ready('/ready', 'getReady', 'Check that this node can serve (short path)', 'The same as `/readyz`.'),
  operation({
    method: 'GET',
    path: '/metrics',
    id: 'getMetrics',
    tag: 'Operations',
    scope: 'service:metrics:read',
    ports: 'both',
    summary: 'Get the metrics of this node',
    examples: [{ name: 'Scrape' }],
    success: {
      200: {
        description: 'The metrics in the text format of Prometheus.',
        schema: z.string(),
        example: 'holdfast_http_requests_in_flight 1\n',
        contentType: 'text/plain',
      },
    },
    handle: ({ health }) => health.metrics(),
  }),
  operation({
    method: 'GET',
    path: '/internal/placement',
    id: 'getPlacement',
    tag: 'Operations',
    scope: 'admin',
    ports: 'both',
    summary: 'Show which node owns which partition',
    description: 'Any node answers for all. What it tells may be a second old.',
    examples: [{ name: 'Ask' }],
    success: {
      200: {
        description: 'Every partition, and every node that owns one or is heard of.',
        schema: placementReply,
        example: placedNodes,
      },
    },
    handle: ({ placement }) => placement.show(),
  }),
  operation({
    method: 'GET',
    path: '/openapi.json',
    id: 'getOpenApi',
    etag: true,
    tag: 'Operations',
    scope: 'none',
    ports: 'both',
    summary: 'Get the OpenAPI document',
    examples: [{ name: 'For a generator of clients' }],
    success: {
      200: {
        description: 'What this port serves, as OpenAPI 3.1.',
        schema: z.looseObject({ openapi: z.literal('3.1.1') }).meta({ id: 'OpenApiDocument' }),
        example: { openapi: '3.1.1' },
      },
    },
    handle: ({ reference }) => reference.document(),
  }),
  operation({
    method: 'GET',
    path: '/schemas/events.json',
    id: 'getEventSchemas',
    etag: true,
    tag: 'Operations',
    scope: 'none',
    ports: 'main',
    summary: 'Get the JSON Schemas of public events',
    description:
      "A schema of a whole event, and one of each type's `data` among its `$defs`, whose `$id` is the event's `dataschema`. They change by addition alone.",
    examples: [{ name: 'For a reader of events' }],
    success: {
      200: {
        description: 'A JSON Schema (2020-12).',
        schema: z
          .looseObject({ $id: z.literal('urn:holdfast:events'), $defs: z.looseObject({}) })
          .meta({ id: 'EventSchemas' }),
        example: { $id: 'urn:holdfast:events', $defs: {} },
      },
    },
    handle: ({ reference }) => reference.eventSchemas(),
  }),
  operation({
    method: 'GET',
    path: '/docs',
    id: 'getDocs',
    etag: true,
    tag: 'Operations',
    scope: 'none',
    ports: 'both',
    summary: 'Show this page',
    examples: [{ name: 'In a browser' }],
    success: {
      200: {
        description: 'The reference as one page. It loads nothing from elsewhere.',
        schema: z.string(),
        example: '<!doctype html>',
        contentType: 'text/html',
      },
    },
    handle: ({ reference }, _input, request) => reference.page(request),
  }),
];
