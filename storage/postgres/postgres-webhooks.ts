/** Webhooks as their operator sees them, and the log of their deliveries. All times are of the database's clock. */
import { limits } from '../../actors/limits.js';
import type { Delivery, DeliveryState, DisabledFor, Webhook, Webhooks } from '../../actors/ports/webhooks.js';
import { msOf, storable, texts } from './column-arrays.js';
import type { PostgresClient } from './postgres.js';

/** A row as the driver returns it. `types` is one text, separated by spaces, which no type contains. */
interface WebhookRow {
  readonly id: string;
  readonly url: string;
  readonly types: string;
  readonly description: string;
  readonly disabled: DisabledFor | null;
  readonly failures: number;
  readonly created: number;
  readonly updated: number;
  readonly since: number;
  readonly old_until: number | null;
}

interface DeliveryRow {
  readonly id: number;
  readonly webhook: string;
  readonly event: string;
  readonly type: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly status: number | null;
  readonly error: string | null;
  readonly took: number | null;
  readonly created: number;
  readonly due: number | null;
  readonly ended: number | null;
}

const WEBHOOK = `id, url, array_to_string(types, ' ') as types, description, disabled_for as disabled, failures,
  ${msOf('created_at')} as created, ${msOf('updated_at')} as updated, ${msOf('since')} as since,
  case when old_secret_until > now() then ${msOf('old_secret_until')} end as old_until`;

const DELIVERY = `id, webhook_id as webhook, event_id as event, type, state, attempts, status, error, took_ms as took,
  ${msOf('created_at')} as created, ${msOf('due_at')} as due, ${msOf('ended_at')} as ended`;

const CREATE = `insert into webhooks (id, url, types, description, secret)
  select $1, $2, $3::text[], $4, $5 where (select count(*) from webhooks) < ${limits.webhooks}
  returning ${WEBHOOK}`;
const LIST = `select ${WEBHOOK} from webhooks order by created_at, id`;
const FIND = `select ${WEBHOOK} from webhooks where id = $1`;
const CHANGE = `update webhooks set url = coalesce($2, url), types = coalesce($3::text[], types),
    description = coalesce($4, description), updated_at = now(),
    since = case when $5 = 'on' and disabled_for is not null then now() else since end,
    failures = case when $5 = 'on' and disabled_for is not null then 0 else failures end,
    disabled_for = case $5 when 'on' then null when 'off' then coalesce(disabled_for, 'request') else disabled_for end
  where id = $1 returning ${WEBHOOK}`;
const ROTATE = `update webhooks set old_secret = secret, old_secret_until = now() + $3::float8 * interval '1 millisecond',
    secret = $2, updated_at = now()
  where id = $1 returning ${WEBHOOK}`;
const REMOVE = `delete from webhooks where id = $1 returning ${WEBHOOK}`;

const page = (which: string): string => `select ${DELIVERY} from webhook_deliveries
  where webhook_id = $1 and id < $2::bigint ${which} order by id desc limit $3::int`;
const DELIVERIES = page('');
const DELIVERIES_OF_STATE = page('and state = $4');
const AGAIN = `update webhook_deliveries set state = 'waiting', again = true, attempts = 0, due_at = now(), ended_at = null
  where webhook_id = $1 and id = $2::bigint and state <> 'waiting' returning ${DELIVERY}`;
const FIND_DELIVERY = `select ${DELIVERY} from webhook_deliveries where webhook_id = $1 and id = $2::bigint`;

export function postgresWebhooks(client: PostgresClient): Webhooks {
  const one = async (rows: Promise<readonly WebhookRow[]>): Promise<Webhook | undefined> => {
    const [row] = await rows;
    return row && webhookOf(row);
  };
  const typesOf = (types: readonly string[]) => texts(types, (type) => type);
  return {
    create: ({ id, url, types, description, secret }) =>
      one(client.query('store a webhook', CREATE, [id, url, typesOf(types), storable(description), secret])),
    list: async () => (await client.query<WebhookRow>('list the webhooks', LIST)).map(webhookOf),
    find: (id) => one(client.query('find a webhook', FIND, [id])),
    change(id, { url, types, description, enabled }) {
      const turned = enabled === undefined ? '' : enabled ? 'on' : 'off';
      const parameters = [id, url ?? null, types ? typesOf(types) : null, description ?? null, turned];
      return one(client.query('change a webhook', CHANGE, parameters));
    },
    rotate: (id, secret, keepMs) => one(client.query('rotate the secret of a webhook', ROTATE, [id, secret, keepMs])),
    remove: (id) => one(client.query('remove a webhook', REMOVE, [id])),
    async deliveries(id, { state, before = Number.MAX_SAFE_INTEGER, limit }) {
      const [text, more] = state === undefined ? [DELIVERIES, []] : [DELIVERIES_OF_STATE, [state]];
      const rows = await client.query<DeliveryRow>('list deliveries', text, [id, before, limit + 1, ...more]);
      return { deliveries: rows.slice(0, limit).map(deliveryOf), more: rows.length > limit };
    },
    async redeliver(id, delivery) {
      const [again] = await client.query<DeliveryRow>('deliver once more', AGAIN, [id, delivery]);
      if (again !== undefined) return { isAgain: true, delivery: deliveryOf(again) };
      const [found] = await client.query<DeliveryRow>('find a delivery', FIND_DELIVERY, [id, delivery]);
      return found && { isAgain: false, delivery: deliveryOf(found) };
    },
  };
}

const webhookOf = (row: WebhookRow): Webhook => ({
  id: row.id,
  url: row.url,
  types: row.types.split(' '),
  description: row.description,
  disabledFor: row.disabled ?? undefined,
  failures: row.failures,
  createdAt: row.created,
  updatedAt: row.updated,
  since: row.since,
  oldSecretUntil: row.old_until ?? undefined,
});

const deliveryOf = (row: DeliveryRow): Delivery => ({
  id: row.id,
  webhook: row.webhook,
  event: row.event,
  type: row.type,
  state: row.state,
  attempts: row.attempts,
  status: row.status ?? undefined,
  error: row.error ?? undefined,
  tookMs: row.took ?? undefined,
  createdAt: row.created,
  dueAt: row.due ?? undefined,
  endedAt: row.ended ?? undefined,
});
