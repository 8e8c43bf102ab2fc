/** The schemas of requests and replies about webhooks. */
import { z } from 'zod';
import { typePatterns, unknownType } from '../../actors/events/type-filters.js';
import { limits } from '../../actors/limits.js';
import type { DeliveryState, DisabledFor } from '../../actors/ports/webhooks.js';
import { continued, one, written } from './envelopes.js';
import { cursor } from './list-queries.js';
import { idText, listOf, object, ruled, text, wholeTextOr, word } from './schemas.js';

// ---------------------------------------------------------------- requests

const url = ruled<string>(
  `must be text of 1 to ${limits.webhookUrlChars} characters`,
  (value) => typeof value === 'string' && value !== '' && value.length <= limits.webhookUrlChars,
  {
    type: 'string',
    format: 'uri',
    minLength: 1,
    maxLength: limits.webhookUrlChars,
    description: 'Where events are sent with POST. It must be public, or allowed by `WEBHOOK_ALLOW`.',
  },
);

const TYPE_RULE = 'must be an event type such as order.confirmed.v1, the beginning of some such as order.*, or *';
const types = listOf(
  ruled<string>(
    (value) => (typeof value === 'string' && value !== '' && unknownType(value, typePatterns)) || TYPE_RULE,
    (value) => typeof value === 'string' && typePatterns.has(value),
    {
      type: 'string',
      pattern: '^(\\*|(order|inventory)\\.([a-z_]+\\.)?(v\\d+|\\*))$',
      description: 'A type of `/schemas/events.json`, the beginning of some such as `order.*`, or `*`.',
    },
  ),
  limits.webhookTypes,
);

const [SECRET_START, LEAST_BYTES, MOST_BYTES] = ['whsec_', 24, 64];
const secret = ruled<string>(
  `must be ${SECRET_START} and ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64`,
  (value) => typeof value === 'string' && isSecret(value),
  {
    type: 'string',
    pattern: '^whsec_[A-Za-z0-9+/]{32,86}={0,2}$',
    description: 'A secret of yours. Left out, Holdfast draws one.',
  },
);

/** Base64 that decodes to the right number of bytes, and is written as a decoder of any language expects it. */
function isSecret(text: string): boolean {
  if (!text.startsWith(SECRET_START)) return false;
  const bytes = Buffer.from(text.slice(SECRET_START.length), 'base64');
  return bytes.length >= LEAST_BYTES && bytes.length <= MOST_BYTES && text === secretOf(bytes);
}

export const secretOf = (bytes: Buffer): string => SECRET_START + bytes.toString('base64');

export const webhookParams = z.object({ webhook_id: idText });
export const deliveryParams = webhookParams.extend({ delivery_id: idText });

export const webhookBody = z.compile(
  object({ url, types, description: text.optional(), secret: secret.optional() }).meta({ id: 'WebhookRequest' }),
);
export type WebhookBody = z.output<typeof webhookBody>;

const enabled = z.boolean('must be true or false').optional();
export const webhookChangeBody = z.compile(
  object({ url: url.optional(), types: types.optional(), description: text.optional(), enabled }).meta({
    id: 'WebhookChangeRequest',
  }),
);
export type WebhookChangeBody = z.output<typeof webhookChangeBody>;

export const rotationBody = z.compile(object({ secret: secret.optional() }).meta({ id: 'RotationRequest' }));
export type RotationBody = z.output<typeof rotationBody>;

const STATES = ['waiting', 'delivered', 'failed'] as const satisfies readonly DeliveryState[];
export const deliveryListQuery = z.object({
  state: word('DeliveryState', STATES).optional(),
  cursor,
  limit: wholeTextOr(limits.pageSizeDefault, limits.pageSize, 'How many deliveries an answer has at most.'),
});
export type DeliveryListQuery = z.output<typeof deliveryListQuery>;

// ---------------------------------------------------------------- replies

const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);

const REASONS = ['request', 'gone', 'failing', 'behind'] as const satisfies readonly DisabledFor[];
const known = {
  id: z.string(),
  url: z.string(),
  types: z.array(z.string()),
  description: z.string(),
  enabled: z.boolean(),
  disabled_reason: word('DisabledReason', REASONS)
    .optional()
    .meta({
      description: `\`request\`: you did it. \`gone\`: the receiver answered 410. \`failing\`: ${limits.webhookFailures} deliveries failed for good, one after the other. \`behind\`: more than ${limits.webhookWaiting} deliveries waited.`,
    }),
  failures: count.meta({ description: 'Deliveries that failed for good since the last one that succeeded.' }),
  created_at: time,
  updated_at: time,
  old_secret_until: time.optional().meta({ description: 'Until when the secret before the last rotation signs too.' }),
};
const webhook = z.object(known).meta({ id: 'Webhook' });
const secretWebhook = z
  .object({ ...known, secret: z.string().meta({ description: 'Shown this once.' }) })
  .meta({ id: 'WebhookWithSecret' });

const delivery = z
  .object({
    id: z.string(),
    event_id: z.string().meta({ description: "The event's id, from which the header webhook-id is made." }),
    type: z.string(),
    state: word('DeliveryState', STATES),
    attempts: count,
    status: z.int().optional().meta({ description: 'Of the last answer. Absent if there was none.' }),
    error: z.string().optional().meta({ description: 'Why the last attempt failed.' }),
    duration_ms: count.optional(),
    created_at: time,
    next_attempt_at: time
      .optional()
      .meta({ description: 'Absent when it has ended, and while an earlier event of the same actor goes first.' }),
    ended_at: time.optional(),
  })
  .meta({ id: 'Delivery' });

export const webhookReply = one('WebhookReply', webhook);
export const webhookListReply = one('WebhookListReply', z.array(webhook));
export const webhookWriteReply = written('WebhookWriteReply', webhook);
export const webhookSecretReply = written('WebhookSecretReply', secretWebhook);
export const deliveryListReply = continued('DeliveryListReply', delivery);
export const deliveryWriteReply = written('DeliveryWriteReply', delivery);
