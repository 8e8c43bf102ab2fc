// How Postgres executes statements while their tables grow: each statement is prepared and planned on a small table,
// on a connection that stays open, and its plan is read again when there are many rows.
//
// Law: no growing table is read whole, or scanned from end to end by an index, unless the statement is declared to.

import type { PostgresClient, Session } from '../../../storage/postgres/postgres.js';
import type { SentStatement } from './sent-statements.js';

/** Tables with a row per node, partition or log, or one row: read whole, they are one page. */
const SMALL = new Set([
  ...[
    'archives',
    'archive_policy',
    'journals',
    'partitions',
    'log_heads',
    'settlement',
    'gremlin',
    'probe',
    'api_keys',
  ],
  ...['webhooks', 'webhook_place'],
  // Short: what was queued since the last seconds.
  'order_stats_queue',
]);

/** Statements that are meant to read a whole table, and why. */
const MEANT: readonly (readonly [SentStatement['on'], RegExp, string])[] = [
  ['verify', /^verify /, 'a law judges every row'],
  ['verify', /^count orders anew$/, 'the numbers of all orders are repaired'],
  ['verify', /^count the rows$/, 'verify tells how many rows it has judged'],
  ['verify', /^read the currencies$/, 'verify looks for them in all orders'],
  ['lists', /^add up orders$/, 'all days or all products are asked for; it ends after limits.listMs'],
  ['lists', /^look for meanings$/, 'a word that most users have is looked for until there are 201'],
  ['lists', /^weigh meanings$/, 'it is explained, and never run'],
  ['lists', /^(count orders|list products|list operations)$/, 'most rows match, and counting stops at 10,001'],
];

/** After so many executions Postgres may keep a generic plan (it makes five custom plans first). */
const EXECUTIONS = 7;
const LONG_MS = 600_000;

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly Plan[];
}

export interface Planned {
  readonly what: string;
  readonly on: SentStatement['on'];
  /** What it reads, by table. */
  readonly reads: string;
  /** Tables that it reads whole, in words; without those that are declared. */
  readonly whole: readonly string[];
  readonly why: string | undefined;
}

interface Prepared {
  /** The plans as they are now. */
  look(): Promise<Planned[]>;
}

/** Prepares all statements as their connection would, and executes each until Postgres may keep its plan. */
export async function prepared(session: Session, statements: readonly SentStatement[]): Promise<Prepared> {
  const names = new Map<SentStatement, string>();
  const settings = statements.find(({ on, text }) => on === 'verify' && text.includes('set_config'));
  if (settings !== undefined) {
    await session.query('begin', 'begin');
    await session.query('set', settings.text);
  }
  // No statement is prepared there: each is planned for its parameters, as a custom plan is.
  if (statements.some(({ on }) => on === 'lists'))
    await session.query('set', 'set plan_cache_mode = force_custom_plan');
  for (const [i, statement] of statements.entries()) {
    const name = `planned_${i}`;
    names.set(statement, name);
    await session.query('prepare', `prepare ${name} as ${statement.text}`, [], LONG_MS);
  }
  const plan = async (statement: SentStatement): Promise<Plan> => {
    const list = statement.parameters.length === 0 ? '' : `(${statement.parameters.map(literal).join(', ')})`;
    const text = `explain (format json, costs off) execute ${names.get(statement)}${list}`;
    const [row] = await session.query<{ 'QUERY PLAN': string }>('explain', text, [], LONG_MS);
    const [root] = JSON.parse(row?.['QUERY PLAN'] ?? '[]') as [{ readonly Plan: Plan }?];
    if (root === undefined) throw new Error(`Postgres told no plan for ${statement.what}`);
    return root.Plan;
  };
  for (const statement of statements) for (let i = 0; i < EXECUTIONS; i++) await plan(statement);
  return {
    async look() {
      const planned: Planned[] = [];
      for (const statement of statements) planned.push(judged(statement, await plan(statement)));
      return planned;
    },
  };
}

function judged({ what, on }: SentStatement, root: Plan): Planned {
  const reads = new Set<string>();
  const whole = new Set<string>();
  const look = (plan: Plan, isLimited: boolean, above?: string) => {
    // A bitmap of an index names its table one node higher.
    const { 'Node Type': type, 'Relation Name': table = above, 'Index Name': index, 'Index Cond': condition } = plan;
    const isIndexed = type.includes('Index');
    if (isIndexed || type === 'Seq Scan') {
      const name = table ?? 'by';
      reads.add(isIndexed ? `${table === undefined ? '' : `${table}:`}${index}` : `${name}:ALL`);
      const isWhole = type === 'Seq Scan' || (condition === undefined && !isLimited);
      if (isWhole && !SMALL.has(name) && !name.startsWith('pg_'))
        whole.add(isIndexed ? `all of ${index}` : `all of ${name}`);
    }
    for (const each of plan.Plans ?? [])
      look(each, isLimited || type === 'Limit', type === 'Bitmap Heap Scan' || type === 'BitmapOr' ? table : undefined);
  };
  look(root, false);
  const why = MEANT.find(([where, pattern]) => where === on && whole.size > 0 && pattern.test(what))?.[2];
  return { what, on, reads: [...reads].join(' '), whole: why === undefined ? [...whole] : [], why };
}

const literal = (value: string | number | boolean | null): string => {
  if (value === null) return 'null';
  return typeof value === 'string' ? `E'${value.replace(/\\/g, '\\\\').replace(/'/g, "''")}'` : String(value);
};

// ---------------------------------------------------------------- tables that grow

export const GROWN = [
  ...['orders', 'order_items', 'order_turns', 'products', 'inventory_operations', 'refused_writes'],
  ...['order_search', 'order_search_queue', 'search_users', 'search_products', 'log_records', 'payment_effects'],
  'webhook_deliveries',
  'receipt_keys',
  'order_stats_days',
  'order_stats_months',
  ...['archived_orders', 'archive_blocks', 'archived_stats'],
];

/** Rows from..to of every growing table, made by Postgres: more like a load test than like a shop. */
export async function grow(client: PostgresClient, from: number, to: number): Promise<void> {
  await client.session(async (session) => {
    await session.query(
      'be quick',
      "select set_config('session_replication_role', 'replica', false), set_config('synchronous_commit', 'off', false), set_config('statement_timeout', '0', false)",
    );
    for (const text of GROWTH)
      await session.query(
        'fill a table',
        text.replaceAll('$1', String(from)).replaceAll('$2', String(to)),
        [],
        LONG_MS,
      );
  });
}

const EACH = 'from generate_series($1::int, $2::int) i';
const AT = 'to_timestamp(1700000000 + i * 0.1)';
const GROWTH = [
  `insert into orders (order_id, user_id, status, payment_status, currency, total_amount, correlation_id, created_at, updated_at, version, epoch, n, partition, state, stats_before)
   select 'ORD-0' || md5(i::text), 'user-' || i % 1000, case when i % 20 = 0 then 'failed' else 'confirmed' end,
     case when i % 20 = 0 then 'declined' else 'paid' end, 'USD', i % 500, 'c', ${AT}, ${AT}, 3, 0, 0, i % 4,
     case when i % 1000 = 0 then '{"phase":"holding","voidOwed":false}'::json end, '' ${EACH}`,
  `insert into order_items (order_id, line, product_id, quantity, unit_price, subtotal, hold, created_at)
   select 'ORD-0' || md5(i::text), 1, 'PROD-' || i % 1000, 1, 1, 1, 'held', ${AT} ${EACH}`,
  `insert into order_turns (order_id, version, at, correlation_id, events)
   select 'ORD-0' || md5(i::text), 1, ${AT}, 'c', '[{"type":"confirmed"}]' ${EACH}`,
  `insert into inventory_operations (ref, order_id, product_id, operation_type, operation_no, quantity, version, on_hand_after, held_after, correlation_id, created_at)
   select 'ORD-0' || md5(i::text), 'ORD-0' || md5(i::text), 'PROD-' || i % 1000, 'hold', 1, 1, 1 + i / 1000, 5, 1, 'c', ${AT} ${EACH}`,
  `insert into refused_writes (ref, product_id, fingerprint, refusal, refused_at)
   select 'WR-' || md5(i::text), 'PROD-' || i % 1000, 'f', 'below_held', ${AT} ${EACH}`,
  `insert into receipt_keys (ref, fingerprint, taken_at) select 'WR-' || md5(i::text), 'f', ${AT} ${EACH}`,
  `insert into products (product_id, name, unit_price, currency, on_hand, held, updated_at, version, epoch, n, partition)
   select 'PROD-' || i, 'Thing', 1, 'USD', 5, 1, ${AT}, 1, 0, 0, i % 4 ${EACH}`,
  `insert into order_search (order_id, created_at, words)
   select 'ORD-0' || md5(i::text), ${AT}, array_to_tsvector(array['w' || i % 100, case when i % 20 = 0 then 'thing' else 'other' end]) ${EACH}`,
  `insert into order_search_queue (order_ids) select '{ORD-0' || md5(i::text) || '}' ${EACH} where i % 100 = 0`,
  `insert into search_users (user_id, words)
   select 'user-' || i, array_to_tsvector(array['user', i::text]) ${EACH}`,
  `insert into search_products (product_id, name, words)
   select 'PROD-' || i, 'Thing', array_to_tsvector(array['prod', i::text, 'thing']) ${EACH}`,
  `insert into order_stats_days (product_id, day, currency, status, reason, orders, containing, units, revenue)
   select 'PROD-' || i % 1000, date '2023-11-14' + i / 1000, 'USD', 'confirmed', '', 1, 1, 1, 1 ${EACH} on conflict do nothing`,
  `insert into order_stats_months (month, product_id, currency, status, reason, orders, containing, units, revenue)
   select date '2023-11-01' + interval '1 month' * (i / 1000), 'PROD-' || i % 1000, 'USD', 'confirmed', '', 1, 1, 1, 1 ${EACH}
   on conflict do nothing`,
  `insert into archived_orders (order_id, archive, block, version) select 'ORD-1' || md5(i::text), 1, i / 64, 4 ${EACH}`,
  `insert into archive_blocks (archive, block, at, bytes) select 1, i, 1000 * i, 1000 ${EACH}`,
  `insert into archived_stats (product_id, day, currency, status, reason, orders, containing, units, revenue)
   select 'PROD-' || i % 1000, date '2013-11-14' + i / 1000, 'USD', 'confirmed', '', 1, 1, 1, 1 ${EACH} on conflict do nothing`,
  `insert into log_records (log, position, record) select 'journal.' || i % 2, i, 'x' ${EACH}`,
  `insert into payment_effects (order_id, effect, ref, minor, currency)
   select 'ORD-0' || md5(i::text), 'authorized', 'r', 1, 'USD' ${EACH}`,
  `insert into webhook_deliveries (webhook_id, event_id, type, actor, body, state, due_at, ended_at)
   select 'WH-' || i % 10, 'order/ORD-0' || md5(i::text), 'order.placed.v1', 'order/' || i / 10, '{}',
     case when i % 3 = 0 then 'delivered' when i % 20 = 0 then 'failed' else 'waiting' end,
     case when i % 3 <> 0 and i % 20 <> 0 and i % 2 = 0 then ${AT} end, case when i % 3 = 0 or i % 20 = 0 then ${AT} end ${EACH}`,
];

// ---------------------------------------------------------------- printing

export function tableOf(planned: readonly Planned[]): string {
  const lines = planned.map(({ what, on, reads, whole, why }) => {
    const verdict = why === undefined ? whole.join(', ') || 'by index' : `declared: ${why}`;
    return `${on.padEnd(7)} ${what.slice(0, 44).padEnd(45)} ${verdict.padEnd(12)} ${reads}`;
  });
  return lines.join('\n');
}
