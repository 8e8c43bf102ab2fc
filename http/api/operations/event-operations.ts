/** Operations on events as they come. Their replies have no end. */
import { z } from 'zod';
import { eventsQuery, placeQuery } from '../../live/live-queries.js';
import { operation } from '../operation.js';
import { orderParams } from '../schemas.js';
import { EXAMPLE_ORDER_ID } from './examples.js';

const STREAM = [
  "The answer has no end: it is `text/event-stream`, as a browser's `EventSource` reads it. Each event is a CloudEvent in JSON in `data`. Its `id` is your place.",
  'Without an id the stream begins now. With `Last-Event-ID` it goes on after that event: nothing is left out and nothing comes twice, at any node. `EventSource` sends it by itself.',
  'An `id` without `data` moves your place on. A comment shows that the connection lives. `event: gap` says that events are lost, because `EVENTS` does not have them any more. `event: end` is the last one and says why: come again with your last id.',
].join('\n\n');

const lastEventId = z.string().meta({ description: 'The last id that you got. The stream goes on after it.' });

const success = {
  200: {
    description: 'Events, as they come.',
    schema: z.string(),
    contentType: 'text/event-stream',
    example: [
      ': events\nretry: 1834\nid: mh3k2s9q.2s.mh4a11xw~01KAVTNC1V5QG0RT8SZ3XH6S4D.7\n\n',
      'id: mh3k2s9q.2t.mh4a12b0~01KAVTNC1V5QG0RT8SZ3XH6S4D.8.1\n',
      `data: {"specversion":"1.0","id":"order/${EXAMPLE_ORDER_ID}/1","type":"order.placed.v1",…}\n\n`,
    ].join(''),
  },
} as const;

const common = {
  method: 'GET',
  tag: 'Events',
  scope: 'orders:read',
  ports: 'main',
  endless: true,
  headers: { 'Last-Event-ID': lastEventId },
  success,
  errors: ['busy', 'unavailable'],
} as const;

export const eventOperations = [
  operation({
    ...common,
    path: '/api/events',
    id: 'listenToEvents',
    summary: 'Listen to events',
    description: `${STREAM}\n\nA customer gets the events of its own orders, and those of the stock only with the scope \`inventory:write\`.`,
    query: eventsQuery,
    examples: [
      { name: 'All events' },
      { name: 'Some types', query: { type: 'order.confirmed,order.failed' } },
      { name: 'Of a product', query: { product_id: 'PROD-001' } },
    ],
    handle: ({ live }, { query }, request) => live.all(request, query),
  }),
  operation({
    ...common,
    path: '/api/orders/:order_id/events',
    id: 'listenToOrder',
    summary: "Listen to an order's events",
    description: STREAM,
    params: orderParams,
    query: placeQuery,
    examples: [{ name: 'An order', params: { order_id: EXAMPLE_ORDER_ID } }],
    handle: ({ live }, { params, query }, request) => live.ofOrder(request, params.order_id, query),
  }),
];
