/** Webhooks and their deliveries in memory: the twin of postgres-webhooks.ts and postgres-webhook-queue.ts. */
import { limits } from '../../actors/limits.js';
import type {
  Attempted,
  Delivery,
  DisabledFor,
  NewDelivery,
  Webhook,
  WebhookQueue,
  Webhooks,
} from '../../actors/ports/webhooks.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Row = Mutable<Delivery> & Pick<NewDelivery, 'actor' | 'body'> & { again: boolean };
type Kept = Mutable<Webhook> & { secret: string; oldSecret: string | undefined };

export function memoryWebhooks(now: () => number): { readonly webhooks: Webhooks; readonly queue: WebhookQueue } {
  const kept = new Map<string, Kept>();
  let rows: Row[] = [];
  let lastId = 0;
  const place = { version: 0, cursor: undefined as string | undefined };

  const inOrder = (row: Row) => row.state === 'waiting' && !row.again;
  const firstOf = ({ webhook, actor }: Pick<Row, 'webhook' | 'actor'>) =>
    rows.find((row) => row.webhook === webhook && row.actor === actor && inOrder(row));
  const next = (lane: Pick<Row, 'webhook' | 'actor'>) => {
    const first = firstOf(lane);
    if (first !== undefined) first.dueAt ??= now();
  };
  const changed = (id: string, change: (webhook: Kept) => void): Webhook | undefined => {
    const webhook = kept.get(id);
    if (webhook === undefined) return undefined;
    webhook.updatedAt = now();
    change(webhook);
    return shown(webhook, now());
  };

  const webhooks: Webhooks = {
    async create({ secret, ...given }) {
      if (kept.size >= limits.webhooks) return undefined;
      if (kept.has(given.id)) throw new Error('there is such a webhook already');
      const at = now();
      const none = { disabledFor: undefined, failures: 0, oldSecretUntil: undefined, oldSecret: undefined };
      const made = { ...given, ...none, secret, createdAt: at, updatedAt: at, since: at };
      kept.set(made.id, made);
      return shown(made, at);
    },
    list: async () => [...kept.values()].map((webhook) => shown(webhook, now())),
    async find(id) {
      const webhook = kept.get(id);
      return webhook && shown(webhook, now());
    },
    change: async (id, { url, types, description, enabled }) =>
      changed(id, (webhook) => {
        if (url !== undefined) webhook.url = url;
        if (types !== undefined) webhook.types = types;
        if (description !== undefined) webhook.description = description;
        if (enabled === false) webhook.disabledFor ??= 'request';
        if (enabled === true && webhook.disabledFor !== undefined) {
          webhook.disabledFor = undefined;
          webhook.failures = 0;
          webhook.since = now();
        }
      }),
    rotate: async (id, secret, keepMs) =>
      changed(id, (webhook) => {
        webhook.oldSecret = webhook.secret;
        webhook.oldSecretUntil = now() + keepMs;
        webhook.secret = secret;
      }),
    async remove(id) {
      const webhook = kept.get(id);
      kept.delete(id);
      rows = rows.filter((row) => row.webhook !== id);
      return webhook && shown(webhook, now());
    },
    async deliveries(id, { state, before = Number.POSITIVE_INFINITY, limit }) {
      const found = rows
        .filter((row) => row.webhook === id && row.id < before && (state === undefined || row.state === state))
        .reverse();
      return { deliveries: found.slice(0, limit).map(logged), more: found.length > limit };
    },
    async redeliver(id, delivery) {
      const row = rows.find((one) => one.webhook === id && one.id === delivery);
      if (row === undefined) return undefined;
      const isAgain = row.state !== 'waiting';
      if (isAgain) Object.assign(row, { state: 'waiting', again: true, attempts: 0, dueAt: now(), endedAt: undefined });
      return { isAgain, delivery: logged(row) };
    },
  };

  const disable = (id: string, why: DisabledFor): boolean => {
    const webhook = kept.get(id);
    if (webhook === undefined || webhook.disabledFor !== undefined) return false;
    webhook.disabledFor = why;
    return true;
  };
  const enabled = () => [...kept.values()].filter(({ disabledFor }) => disabledFor === undefined);

  const queue: WebhookQueue = {
    place: async () => ({ ...place }),
    subscriptions: async () =>
      enabled().map(({ id, url, types, since, secret, oldSecret, oldSecretUntil }) => {
        const old = oldSecret !== undefined && (oldSecretUntil ?? 0) > now() ? [oldSecret] : [];
        return { id, url, types, since, secrets: [secret, ...old] };
      }),
    async waiting() {
      const most = limits.webhookWaiting + 1;
      const count = (id: string) => rows.filter(({ webhook, state }) => webhook === id && state === 'waiting').length;
      return new Map(enabled().map(({ id }) => [id, Math.min(most, count(id))]));
    },
    async take(version, deliveries, cursor) {
      if (version !== place.version) return undefined;
      if (cursor !== undefined) Object.assign(place, { version: version + 1, cursor });
      for (const given of deliveries) {
        const isKnown = rows.some(({ webhook, event }) => webhook === given.webhook && event === given.event);
        if (isKnown || !enabled().some(({ id }) => id === given.webhook)) continue;
        const unknown = { status: undefined, error: undefined, tookMs: undefined, endedAt: undefined };
        const dueAt = firstOf(given) === undefined ? now() : undefined;
        rows.push({
          ...given,
          ...unknown,
          ...{ id: ++lastId, state: 'waiting', again: false, attempts: 0, createdAt: now(), dueAt },
        });
      }
      return place.version;
    },
    async claim(rooms, leaseMs) {
      const at = now();
      const claimed = rooms.flatMap(({ webhook, room }) =>
        rows
          .filter((row) => row.webhook === webhook && row.state === 'waiting' && (row.dueAt ?? at + 1) <= at)
          .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0) || a.id - b.id)
          .slice(0, room),
      );
      return claimed.map((row) => {
        row.dueAt = at + leaseMs;
        row.attempts++;
        const { id, webhook, event, type, actor, body, attempts: attempt } = row;
        const missing = rows.findLast(
          (one) => one.webhook === webhook && one.actor === actor && one.state === 'failed' && one.id < id,
        )?.event;
        return { id, webhook, event, type, actor, body, attempt, missing };
      });
    },
    async settle(attempts) {
      const ended = attempts.filter((attempted) => isNoted(rows, attempted, now()));
      for (const { webhook, actor } of ended) next({ webhook, actor });
      return [...new Set(ended.map(({ webhook }) => webhook))].flatMap((id) => {
        const of = ended.filter(({ webhook }) => webhook === id);
        const webhook = kept.get(id);
        if (webhook === undefined || webhook.disabledFor !== undefined) return [];
        const isWell = of.some(({ outcome }) => outcome === 'delivered');
        const failed = of.filter(({ outcome }) => outcome === 'failed' || outcome === 'gone').length;
        webhook.failures = isWell ? 0 : webhook.failures + failed;
        const isGone = of.some(({ outcome }) => outcome === 'gone');
        const why = isGone ? 'gone' : webhook.failures >= limits.webhookFailures ? 'failing' : undefined;
        return why !== undefined && disable(id, why) ? [{ id, why }] : [];
      });
    },
    disable: async (id, why) => disable(id, why),
    async sweep(keepMs, keep) {
      const before = rows.length;
      const isOld = ({ endedAt }: Row) => endedAt !== undefined && endedAt < now() - keepMs;
      rows = rows.filter((row) => !isOld(row));
      for (const id of kept.keys()) {
        const ended = rows.filter(({ webhook, endedAt }) => webhook === id && endedAt !== undefined);
        const surplus = new Set(ended.slice(0, Math.max(0, ended.length - keep)));
        rows = rows.filter((row) => !surplus.has(row));
      }
      return { forgotten: before - rows.length, more: false };
    },
  };
  return { webhooks, queue };
}

/** Notes an attempt in its row. @returns whether it counts */
function isNoted(rows: readonly Row[], { id, attempt, outcome, ...of }: Attempted, at: number): boolean {
  const row = rows.find((one) => one.id === id);
  if (row?.state !== 'waiting' || (outcome !== 'delivered' && row.attempts !== attempt)) return false;
  const { status, error, tookMs, againInMs } = of;
  Object.assign(row, { status, error, tookMs: Math.round(tookMs) });
  if (outcome === 'retry') row.dueAt = at + againInMs;
  else {
    row.state = outcome === 'delivered' ? 'delivered' : 'failed';
    row.dueAt = undefined;
    row.endedAt = at;
  }
  return true;
}

function shown({ secret: _, oldSecret: __, ...webhook }: Kept, at: number): Webhook {
  const { oldSecretUntil: until } = webhook;
  return { ...webhook, oldSecretUntil: until !== undefined && until > at ? until : undefined };
}

const logged = ({ actor: _, body: __, again: ___, ...delivery }: Row): Delivery => ({ ...delivery });
