/** Operations on webhooks. They are an operator's: a webhook gets the events of all users. */

import { limits } from '../../../actors/limits.js';
import { operation } from '../operation.js';
import {
  deliveryListQuery,
  deliveryListReply,
  deliveryParams,
  deliveryWriteReply,
  rotationBody,
  webhookBody,
  webhookChangeBody,
  webhookListReply,
  webhookParams,
  webhookReply,
  webhookSecretReply,
  webhookWriteReply,
} from '../webhook-schemas.js';
import { EXAMPLE_WEBHOOK_ID, failedDelivery, partnerWebhook } from './examples.js';

const params = { webhook_id: EXAMPLE_WEBHOOK_ID } as const;
const common = { tag: 'Webhooks', scope: 'admin', ports: 'main' } as const;
const secret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

export const webhookOperations = [
  operation({
    ...common,
    method: 'GET',
    path: '/api/webhooks',
    id: 'listWebhooks',
    summary: 'List webhooks',
    examples: [{ name: 'All' }],
    success: {
      200: {
        description: 'All webhooks, the oldest first.',
        schema: webhookListReply,
        example: { status: 'success', data: [partnerWebhook] },
      },
    },
    handle: ({ webhooks }) => webhooks.list(),
  }),
  operation({
    ...common,
    method: 'POST',
    path: '/api/webhooks',
    id: 'createWebhook',
    summary: 'Create a webhook',
    description: [
      'From now on the events of these types are sent to `url` with POST, signed by the Standard Webhooks specification (`webhook-id`, `webhook-timestamp`, `webhook-signature`). Any 2xx answer takes an event. Everything else fails the attempt, redirects too. It is repeated for about a day, with growing pauses. 410 disables the webhook.',
      'An event may come more than once, always with the same `webhook-id`. The events of one order or product come in their order. If one could not be delivered, later ones name it in the header `holdfast-missing`.',
      'The body is the CloudEvent as `EVENTS` has it, with its time also as `timestamp`.',
    ].join('\n\n'),
    body: webhookBody,
    examples: [
      {
        name: 'For a partner',
        body: { url: 'https://partner.example/hooks/orders', types: ['order.*'], description: 'Partner' },
      },
      {
        name: 'With a secret of yours',
        body: { url: 'https://stock.example/in', types: ['inventory.held.v1', 'inventory.received.v1'], secret },
      },
    ],
    success: {
      201: {
        description: 'The webhook with its secret, which is shown this once.',
        headers: ['Location'],
        schema: webhookSecretReply,
        example: {
          status: 'success',
          message: 'Webhook created: keep its secret, it is shown this once',
          data: { ...partnerWebhook, secret },
        },
      },
    },
    errors: ['too_many_webhooks'],
    handle: ({ webhooks }, { body }) => webhooks.create(body),
  }),
  operation({
    ...common,
    method: 'GET',
    path: '/api/webhooks/:webhook_id',
    id: 'getWebhook',
    summary: 'Get a webhook',
    params: webhookParams,
    examples: [{ name: 'One', params }],
    success: {
      200: {
        description: 'The webhook, without its secret.',
        schema: webhookReply,
        example: { status: 'success', data: partnerWebhook },
      },
    },
    handle: ({ webhooks }, { params }) => webhooks.get(params.webhook_id),
  }),
  operation({
    ...common,
    method: 'PATCH',
    path: '/api/webhooks/:webhook_id',
    id: 'changeWebhook',
    summary: 'Change, disable or enable a webhook',
    description:
      'While a webhook is disabled nothing is sent, and new events are not kept for it. What waits is sent when it is enabled again. A change takes effect within a second.',
    params: webhookParams,
    body: webhookChangeBody,
    examples: [
      { name: 'Other types', params, body: { types: ['order.confirmed.v1', 'order.shipped.v1'] } },
      { name: 'Disable it', params, body: { enabled: false } },
    ],
    success: {
      200: {
        description: 'The webhook as it is now.',
        schema: webhookWriteReply,
        example: { status: 'success', message: 'Webhook updated successfully', data: partnerWebhook },
      },
    },
    handle: ({ webhooks }, { params, body }) => webhooks.change(params.webhook_id, body),
  }),
  operation({
    ...common,
    method: 'DELETE',
    path: '/api/webhooks/:webhook_id',
    id: 'removeWebhook',
    summary: 'Remove a webhook',
    description: 'Its deliveries go with it, also those that wait.',
    params: webhookParams,
    examples: [{ name: 'One', params }],
    success: {
      200: {
        description: 'The webhook as it was.',
        schema: webhookWriteReply,
        example: { status: 'success', message: 'Webhook removed with its deliveries', data: partnerWebhook },
      },
    },
    handle: ({ webhooks }, { params }) => webhooks.remove(params.webhook_id),
  }),
  operation({
    ...common,
    method: 'POST',
    path: '/api/webhooks/:webhook_id/secret/rotate',
    id: 'rotateSecret',
    summary: 'Rotate the secret of a webhook',
    description: `The old secret signs beside the new one for ${limits.webhookOldSecretMs / 3_600_000} hours: \`webhook-signature\` then has two signatures. A second rotation in that time ends the oldest one at once.`,
    params: webhookParams,
    body: rotationBody,
    optionalBody: true,
    examples: [{ name: 'A drawn one', params, body: {} }],
    success: {
      200: {
        description: 'The webhook with its new secret, which is shown this once.',
        schema: webhookSecretReply,
        example: {
          status: 'success',
          message: 'Secret rotated: keep the new one, it is shown this once. The old one signs beside it for 24 hours',
          data: { ...partnerWebhook, old_secret_until: '2026-11-22T11:49:34.506Z', secret },
        },
      },
    },
    handle: ({ webhooks }, { params, body }) => webhooks.rotate(params.webhook_id, body),
  }),
  operation({
    ...common,
    method: 'GET',
    path: '/api/webhooks/:webhook_id/deliveries',
    id: 'listDeliveries',
    summary: 'List the deliveries of a webhook',
    description: `The newest come first. What has ended is kept for ${limits.webhookLogMs / 86_400_000} days, and at most the last ${limits.webhookLog.toLocaleString('en-US')}.`,
    params: webhookParams,
    query: deliveryListQuery,
    examples: [
      { name: 'The newest', params, query: { limit: '50' } },
      { name: 'Those that failed', params, query: { state: 'failed' } },
    ],
    success: {
      200: {
        description: 'A page of deliveries.',
        headers: ['Link'],
        schema: deliveryListReply,
        example: { status: 'success', data: [failedDelivery], pagination: { limit: 20, next_cursor: null } },
      },
    },
    handle: ({ webhooks }, { params, query }, request) => webhooks.deliveries(params.webhook_id, query, request),
  }),
  operation({
    ...common,
    method: 'POST',
    path: '/api/webhooks/:webhook_id/deliveries/:delivery_id/redeliver',
    id: 'redeliver',
    summary: 'Send a delivery once more',
    description:
      'Begins its attempts anew, beside the order of the other events. A delivery that still waits is not changed.',
    params: deliveryParams,
    examples: [{ name: 'One', params: { ...params, delivery_id: failedDelivery.id } }],
    success: {
      200: {
        description: 'The delivery, which waits now.',
        schema: deliveryWriteReply,
        example: {
          status: 'success',
          message: 'The delivery is sent once more',
          data: { ...failedDelivery, state: 'waiting', attempts: 0, ended_at: undefined },
        },
      },
    },
    handle: ({ webhooks }, { params }) => webhooks.redeliver(params.webhook_id, params.delivery_id),
  }),
];
