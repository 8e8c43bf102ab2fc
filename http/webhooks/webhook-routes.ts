/**
 * Webhooks over HTTP: an operator makes, changes and removes them, and looks at their deliveries.
 *
 * Law: a secret is in two answers only, that of its creation and that of its rotation.
 */
import { randomBytes } from 'node:crypto';
import { limits } from '../../actors/limits.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Delivery, Webhook, Webhooks } from '../../actors/ports/webhooks.js';
import { Unavailable } from '../../actors/unavailable.js';
import type { ApiRequest } from '../api/api-request.js';
import { cursorOf, linksOf } from '../api/cursor.js';
import { Failure, invalidField, notFound, unavailable } from '../api/failure.js';
import { ledgerVersion } from '../api/list-queries.js';
import { type Answer, continuedList, success } from '../api/reply.js';
import {
  type DeliveryListQuery,
  type RotationBody,
  secretOf,
  type WebhookBody,
  type WebhookChangeBody,
} from '../api/webhook-schemas.js';

/** What the edge needs for webhooks. */
export interface WebhookDesk {
  readonly store: Webhooks;
  /** Why a webhook cannot have this URL, as the rest of a sentence; undefined if it can. */
  whyNot(url: string): string | undefined;
}

const SECRET_BYTES = 32;

export class WebhookRoutes {
  private readonly desk: WebhookDesk;
  private readonly draw: () => string;

  constructor(desk: WebhookDesk, clock: Pick<Clock, 'id'>) {
    this.desk = desk;
    this.draw = () => `WH-${clock.id()}`;
  }

  create = async ({ url, types, description = '', secret = drawnSecret() }: WebhookBody): Promise<Answer> => {
    this.mustLeadOut(url);
    const given = { id: this.draw(), url, types: [...new Set(types)], description, secret };
    const made = await fromStore(() => this.desk.store.create(given));
    if (made === undefined) {
      const message = `There are ${limits.webhooks} webhooks already: remove one first.`;
      throw new Failure(409, 'too_many_webhooks', message);
    }
    const answer = success(201, webhookJson(made, secret), 'Webhook created: keep its secret, it is shown this once');
    return { ...answer, headers: ['Location', `/api/webhooks/${made.id}`] };
  };

  list = async (): Promise<Answer> => {
    const all = await fromStore(() => this.desk.store.list());
    return success(200, `[${all.map((webhook) => webhookJson(webhook)).join(',')}]`);
  };

  get = async (id: string): Promise<Answer> =>
    success(200, webhookJson(known(id, await fromStore(() => this.desk.store.find(id)))));

  change = async (id: string, change: WebhookChangeBody): Promise<Answer> => {
    const { url, types, description, enabled } = change;
    if (Object.keys(change).length === 0) throw invalidField('body', 'must have url, types, description or enabled');
    if (url !== undefined) this.mustLeadOut(url);
    const given = {
      ...(url !== undefined && { url }),
      ...(types !== undefined && { types: [...new Set(types)] }),
      ...(description !== undefined && { description }),
      ...(enabled !== undefined && { enabled }),
    };
    const changed = known(id, await fromStore(() => this.desk.store.change(id, given)));
    return success(200, webhookJson(changed), 'Webhook updated successfully');
  };

  rotate = async (id: string, { secret = drawnSecret() }: RotationBody): Promise<Answer> => {
    const keepMs = limits.webhookOldSecretMs;
    const rotated = known(id, await fromStore(() => this.desk.store.rotate(id, secret, keepMs)));
    const said = 'Secret rotated: keep the new one, it is shown this once. The old one signs beside it for 24 hours';
    return success(200, webhookJson(rotated, secret), said);
  };

  remove = async (id: string): Promise<Answer> => {
    const removed = known(id, await fromStore(() => this.desk.store.remove(id)));
    return success(200, webhookJson(removed), 'Webhook removed with its deliveries');
  };

  deliveries = async (
    id: string,
    { state, limit, cursor }: DeliveryListQuery,
    { req }: ApiRequest,
  ): Promise<Answer> => {
    const name = `deliveries ${id} ${state ?? ''}`;
    const before = ledgerVersion(name, cursor);
    const { store } = this.desk;
    known(id, await fromStore(() => store.find(id)));
    const { deliveries, more } = await fromStore(() => store.deliveries(id, { state, before, limit }));
    const last = deliveries.at(-1);
    const next = more && last !== undefined ? cursorOf(name, [last.id]) : undefined;
    const links = linksOf(req.url ?? '', limit, next);
    return continuedList(deliveries.map(deliveryJson), { limit, next, counted: undefined, links });
  };

  redeliver = async (id: string, delivery: string): Promise<Answer> => {
    const number = /^[1-9]\d{0,14}$/.test(delivery) ? Number(delivery) : 0;
    const found = await fromStore(() => this.desk.store.redeliver(id, number));
    if (found === undefined) throw notFound(`The webhook ${id} has no delivery ${delivery}.`);
    const said = found.isAgain
      ? 'The delivery is sent once more'
      : 'The delivery waits for its next attempt already: nothing has changed';
    return success(200, deliveryJson(found.delivery), said);
  };

  // -------------------------------------------------------------- machinery

  private mustLeadOut(url: string): void {
    const problem = this.desk.whyNot(url);
    if (problem !== undefined) throw invalidField('url', problem);
  }
}

/** A store that does not answer leads to 503: it is no bug. */
async function fromStore<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Unavailable && error.absent) throw error;
    const sentence = 'Webhooks do not answer at the moment. A change may have been made: look before you repeat it.';
    throw unavailable(sentence, {}, error);
  }
}

const drawnSecret = (): string => secretOf(randomBytes(SECRET_BYTES));

function known(id: string, webhook: Webhook | undefined): Webhook {
  if (webhook === undefined) throw notFound(`There is no webhook ${id}.`);
  return webhook;
}

const timeOf = (at: number | undefined): Date | undefined => (at === undefined ? undefined : new Date(at));

/** A member that is undefined is left out of the JSON. */
const webhookJson = (webhook: Webhook, secret?: string): string => {
  const { id, url, types, description, disabledFor, failures, createdAt, updatedAt, oldSecretUntil } = webhook;
  return JSON.stringify({
    ...{ id, url, types, description, enabled: disabledFor === undefined, disabled_reason: disabledFor, failures },
    ...{ created_at: timeOf(createdAt), updated_at: timeOf(updatedAt), old_secret_until: timeOf(oldSecretUntil) },
    secret,
  });
};

const deliveryJson = (delivery: Delivery): string => {
  const { id, event, type, state, attempts, status, error, tookMs, createdAt, dueAt, endedAt } = delivery;
  return JSON.stringify({
    ...{ id: String(id), event_id: event, type, state, attempts, status, error, duration_ms: tookMs },
    ...{ created_at: timeOf(createdAt), next_attempt_at: timeOf(dueAt), ended_at: timeOf(endedAt) },
  });
};
