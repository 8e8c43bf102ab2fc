/**
 * The deliveries to webhooks, between EVENTS and the senders.
 *
 *  W1. The deliveries of what was read are stored in the statement that moves the place. It names the version of the place that it
 *      was read from, so of two feeds one goes on. A webhook has an event at most once, whatever is read again.
 *  W2. Of one actor and webhook, only the first delivery that waits has a time (`due_at`). Whoever stores deliveries, or ends one,
 *      looks afterwards whose turn it is, in a statement of its own. Of a storing and an ending at once, one of the two looks
 *      last, and sees both. What a crash leaves between the two statements, a sweep finds.
 *  W3. To claim a delivery is to lease it: until a time, under the number of the attempt. A sender whose lease has ended changes
 *      nothing, unless the event was delivered.
 */
import { limits } from '../../actors/limits.js';
import type { Attempted, Claimed, DisabledFor, Subscription, WebhookQueue } from '../../actors/ports/webhooks.js';
import { msOf, plain, storable, texts } from './column-arrays.js';
import type { PostgresClient } from './postgres.js';

const PLACE = 'select version, cursor from webhook_place';
const SUBSCRIPTIONS = `select id, url, array_to_string(types, ' ') as types, ${msOf('since')} as since, secret,
    case when old_secret_until > now() then old_secret end as old
  from webhooks where disabled_for is null order by created_at, id`;
const WAITING = `select w.id, (select count(*) from (select from webhook_deliveries d
    where d.webhook_id = w.id and d.state = 'waiting' limit ${limits.webhookWaiting + 1}) as found) as waiting
  from webhooks w where w.disabled_for is null`;

/** Deliveries that wait, and stand in the order of their actor. */
const IN_ORDER = "state = 'waiting' and not again";

/** The same as the state, and no index is for all of these: rows are found by their ids (postgres.Q1). */
const WAITS = 'ended_at is null';

const TAKE = `with place as (
    update webhook_place set cursor = coalesce($2, cursor), version = version + case when $2::text is null then 0 else 1 end
    where version = $1 returning version
  ), made as (
    insert into webhook_deliveries (webhook_id, event_id, type, actor, body, due_at)
    select g.webhook, g.event, g.type, g.actor, g.body, case when g.follows or (select true from webhook_deliveries e
        where e.webhook_id = g.webhook and e.actor = g.actor and e.${IN_ORDER} limit 1) then null else now() end
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[])
      with ordinality as g (webhook, event, type, actor, body, follows, place), place
    where exists (select from webhooks w where w.id = g.webhook and w.disabled_for is null)
    order by g.place
    on conflict (webhook_id, event_id) do nothing returning 1
  ) select version, (select count(*) from made) as made from place`;

/** Gives the first of each actor its time (postgres-webhook-queue.W2). */
const NEXT = `update webhook_deliveries set due_at = now() where ${WAITS} and due_at is null and id = any (array(
    select (select d.id from webhook_deliveries d where d.webhook_id = g.webhook and d.actor = g.actor and d.${IN_ORDER}
      order by d.id limit 1)
    from unnest($1::text[], $2::text[]) as g (webhook, actor)))`;

const CLAIM = `update webhook_deliveries c set due_at = now() + $3::float8 * interval '1 millisecond', attempts = attempts + 1
  where c.id = any (array(
    select due.id from unnest($1::text[], $2::int[]) as g (webhook, room), lateral (
      select d.id from webhook_deliveries d where d.webhook_id = g.webhook and d.state = 'waiting' and d.due_at <= now()
      order by d.due_at, d.id limit g.room for update skip locked) as due))
  returning id, webhook_id as webhook, event_id as event, type, actor, body, attempts as attempt,
    (select f.event_id from webhook_deliveries f where f.webhook_id = c.webhook_id and f.actor = c.actor
      and f.state = 'failed' and f.id < c.id order by f.id desc limit 1) as missing`;

/** The element of a list of attempts that belongs to the row. */
const ofRow = (list: string): string => `(${list})[array_position($1::bigint[], d.id)]`;

const SETTLE = `with ended as (
    update webhook_deliveries d set
      state = case ${ofRow('$3::text[]')} when 'delivered' then 'delivered' when 'retry' then 'waiting' else 'failed' end,
      status = ${ofRow('$4::int[]')}, error = ${ofRow('$5::text[]')}, took_ms = ${ofRow('$6::int[]')},
      due_at = case ${ofRow('$3::text[]')} when 'retry'
        then now() + ${ofRow('$7::float8[]')} * interval '1 millisecond' end,
      ended_at = case when ${ofRow('$3::text[]')} <> 'retry' then now() end
    where d.id = any ($1::bigint[]) and d.${WAITS}
      and (${ofRow('$3::text[]')} = 'delivered' or ${ofRow('$2::int[]')} = d.attempts)
    returning d.webhook_id, ${ofRow('$3::text[]')} as outcome
  ), counted as (
    select webhook_id, count(*) filter (where outcome = 'delivered') as delivered,
      count(*) filter (where outcome in ('failed', 'gone')) as failed, bool_or(outcome = 'gone') as gone
    from ended group by webhook_id
  ) update webhooks w set failures = case when c.delivered > 0 then 0 else w.failures + c.failed end,
      disabled_for = case when w.disabled_for is not null then w.disabled_for when c.gone then 'gone'
        when c.delivered = 0 and w.failures + c.failed >= ${limits.webhookFailures} then 'failing' end
    from counted c where w.id = c.webhook_id and w.disabled_for is null and (c.failed > 0 or w.failures > 0)
    returning w.id, w.disabled_for as why`;

const DISABLE =
  'update webhooks set disabled_for = $2, updated_at = now() where id = $1 and disabled_for is null returning id';

const FORGET = `delete from webhook_deliveries where id = any (array(
    select old.id from webhooks w, lateral (
      (select d.id from webhook_deliveries d where d.webhook_id = w.id
        and d.ended_at < now() - $1::float8 * interval '1 millisecond' order by d.ended_at limit $3::int)
      union
      (select d.id from webhook_deliveries d where d.webhook_id = w.id and d.ended_at is not null
        order by d.ended_at desc offset $2::int limit $3::int)) as old)) and ended_at is not null returning 1`;

const STUCK = `update webhook_deliveries set due_at = now() where ${WAITS} and due_at is null and id = any (array(
    select d.id from webhooks w, lateral (
      select d.id from webhook_deliveries d where d.webhook_id = w.id and d.${IN_ORDER} and d.due_at is null
        and not exists (select from webhook_deliveries e where e.webhook_id = d.webhook_id and e.actor = d.actor
          and e.${IN_ORDER} and e.id < d.id) limit $1::int) as d))`;

/** Deliveries of one webhook that one statement forgets, or finds. */
const SWEPT = 1_000;

interface SubscriptionRow extends Pick<Subscription, 'id' | 'url' | 'since'> {
  readonly types: string;
  readonly secret: string;
  readonly old: string | null;
}

export function postgresWebhookQueue(client: PostgresClient): WebhookQueue {
  async function next(lanes: readonly Pick<Claimed, 'webhook' | 'actor'>[]): Promise<void> {
    if (lanes.length === 0) return;
    const parameters = [texts(lanes, ({ webhook }) => webhook), texts(lanes, ({ actor }) => actor)];
    await client.query('find the next delivery of an actor', NEXT, parameters);
  }

  return {
    async place() {
      const [row] = await client.query<{ version: number; cursor: string | null }>('find the place of webhooks', PLACE);
      if (row === undefined) throw new Error('the table webhook_place has lost its row: insert one with version 0');
      return { version: row.version, cursor: row.cursor ?? undefined };
    },
    async subscriptions() {
      const rows = await client.query<SubscriptionRow>('find what webhooks want', SUBSCRIPTIONS);
      return rows.map(({ id, url, types, since, secret, old }) => {
        return { id, url, types: types.split(' '), since, secrets: old === null ? [secret] : [secret, old] };
      });
    },
    async waiting() {
      const rows = await client.query<{ id: string; waiting: number }>('count waiting deliveries', WAITING);
      return new Map(rows.map(({ id, waiting }) => [id, waiting]));
    },
    async take(version, deliveries, cursor) {
      const seen = new Set<string>();
      const follows = ({ webhook, actor }: (typeof deliveries)[number]) => {
        const lane = `${webhook} ${actor}`;
        const isLater = seen.has(lane);
        seen.add(lane);
        return isLater;
      };
      const parameters = [
        version,
        cursor ?? null,
        texts(deliveries, ({ webhook }) => webhook),
        texts(deliveries, ({ event }) => event),
        texts(deliveries, ({ type }) => type),
        texts(deliveries, ({ actor }) => actor),
        texts(deliveries, ({ body }) => body),
        plain(deliveries, follows),
      ];
      const [row] = await client.query<{ version: number; made: number }>('take deliveries', TAKE, parameters);
      if (row === undefined) return undefined;
      if (row.made > 0) await next(deliveries);
      return row.version;
    },
    async claim(rooms, leaseMs) {
      if (rooms.length === 0) return [];
      const parameters = [texts(rooms, ({ webhook }) => webhook), plain(rooms, ({ room }) => room), leaseMs];
      const rows = await client.query<ClaimedRow>('claim deliveries', CLAIM, parameters);
      return rows.map(({ missing, ...claimed }) => ({ ...claimed, missing: missing ?? undefined }));
    },
    async settle(attempts) {
      if (attempts.length === 0) return [];
      const rows = await client.query<{ id: string; why: DisabledFor | null }>(
        'settle deliveries',
        SETTLE,
        settled(attempts),
      );
      await next(attempts.filter(({ outcome }) => outcome !== 'retry'));
      return rows.flatMap(({ id, why }) => (why === null ? [] : [{ id, why }]));
    },
    async disable(id, why) {
      return (await client.query('disable a webhook', DISABLE, [id, why])).length > 0;
    },
    async sweep(keepMs, keep) {
      await client.query('find deliveries whose turn it is', STUCK, [SWEPT]);
      const forgotten = (await client.query('forget deliveries', FORGET, [keepMs, keep, SWEPT])).length;
      return { forgotten, more: forgotten >= SWEPT };
    },
  };
}

interface ClaimedRow extends Omit<Claimed, 'missing'> {
  readonly missing: string | null;
}

const settled = (attempts: readonly Attempted[]) => [
  plain(attempts, ({ id }) => id),
  plain(attempts, ({ attempt }) => attempt),
  texts(attempts, ({ outcome }) => outcome),
  plain(attempts, ({ status }) => status),
  texts(attempts, ({ error }) => (error === undefined ? undefined : storable(error))),
  plain(attempts, ({ tookMs }) => Math.round(tookMs)),
  plain(attempts, ({ againInMs }) => againInMs),
];
