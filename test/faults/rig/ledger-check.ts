// Checks the promises after a test, against the log that was kept outside the system (burst.ts).
//
//   every order that got a 2xx exists as it was answered; so does every refused order that was named
//   every key still gives its answer, word for word; a key whose request died unanswered gets one order
//   no buyer has two orders for one purchase
//   stock: on hand = received +/- adjusted - committed; held = 0 once nothing is under way; committed =
//   the lines of orders that were confirmed; never below zero
//   EVENTS holds the events of the stored histories (events-check.ts), and `holdfast verify` is clean

import { Agent } from 'node:http';
import * as assert from 'uvu/assert';
import { connectPostgres, type PostgresClient } from '../../../storage/postgres/postgres.js';
import { until } from '../../deadlines.js';
import { databaseUrl } from './addresses.js';
import { type Answer, bodyOf, type Entry, lastAnswer, orderIdIn, send } from './burst.js';
import { checkEvents } from './events-check.js';
import type { RealSystem } from './real-system.js';

const AT_ONCE = 40;
const SETTLED_MS = 20_000;
const SHOWN = 5;

/** How the purchases ended, by status; `died` counts those without any answer. */
type Tally = Readonly<Record<number | 'died', number>>;

interface Checks {
  /** Set if the provider is slow: an order is charged after its answer. */
  readonly paysLater?: boolean;
  /** Set where there is no NATS: then there are no EVENTS. */
  readonly withoutEvents?: boolean;
  /** The nodes that share the stores with the system. */
  readonly others?: readonly RealSystem[];
}

/** Runs every check. @returns how the purchases ended. */
export async function checkLedger(system: RealSystem, entries: readonly Entry[], checks: Checks = {}): Promise<Tally> {
  const wrong: string[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  try {
    await inLanes(entries, (entry) => checkEntry(system, agent, entry, checks, wrong));
  } finally {
    agent.destroy();
  }
  assert.equal(wrong.slice(0, SHOWN), [], `${wrong.length} of ${entries.length} are not as they were answered`);
  for (const node of [system, ...(checks.others ?? [])]) await settled(node);
  const client = connectPostgres(await databaseUrl(system), { max: 2 });
  try {
    await checkBuyers(client, entries);
    await checkStock(client);
    if (checks.withoutEvents !== true) await checkEvents(system, client);
  } finally {
    await client.end();
  }
  await checkVerify(system);
  return tally(entries);
}

export async function checkVerify(system: RealSystem): Promise<void> {
  const verdict = await system.verify();
  assert.is(verdict.code, 0, `verify: exit ${verdict.code}\n${verdict.output}`);
}

export function tally(entries: readonly Entry[]): Tally {
  const counts: Record<number | 'died', number> = { died: 0 };
  for (const entry of entries) {
    const how = lastAnswer(entry)?.status ?? 'died';
    counts[how] = (counts[how] ?? 0) + 1;
  }
  return counts;
}

/** Waits until nothing is under way and Postgres has everything. */
export async function settled(system: RealSystem): Promise<void> {
  const sizes = async () => [
    await system.metric('holdfast_orders_in_memory'),
    await system.metric('holdfast_unflushed_events'),
    await system.metric('holdfast_inbox_commands'),
  ];
  const isQuiet = await until(async () => (await sizes()).every((size) => size === 0), SETTLED_MS, 50);
  assert.ok(isQuiet, `in memory, unflushed, in the inbox: ${await sizes()}\n${system.lastWords()}`);
}

// ---------------------------------------------------------------- machinery

async function inLanes<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const queue = all[Symbol.iterator]();
  const lane = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

const isFinal = (answer: Answer | undefined): boolean =>
  answer !== undefined && [201, 402, 404, 409].includes(answer.status);

async function checkEntry(
  system: RealSystem,
  agent: Agent,
  entry: Entry,
  { paysLater = false }: Checks,
  wrong: string[],
) {
  const { purchase, key } = entry;
  const answer = lastAnswer(entry);
  const id = answer && orderIdIn(answer.text);
  if (id !== undefined && answer?.status !== 503) {
    const found = await send(agent, `${system.url}/api/orders/${id}`, 'GET');
    if (found.status !== 200) wrong.push(`${purchase.user}: ${answer?.text} was answered, and now ${found.text}`);
    else if (answer?.status === 201 && !paysLater && dataOf(found) !== dataOf(answer)) {
      wrong.push(`${purchase.user}: it was answered ${answer.text}, and is ${found.text}`);
    } else if (isFinal(answer) && answer?.status !== 201 && !found.text.includes('"status":"failed"')) {
      wrong.push(`${purchase.user}: it was refused by ${answer?.text}, and is ${found.text}`);
    }
  }
  if (key === undefined) return;
  /** A busy machine may say 202 or 503 for a while: neither is a no. */
  const place = async () => {
    for (const deadline = performance.now() + SETTLED_MS; ; ) {
      const answer = await send(agent, `${system.url}/api/orders`, 'POST', bodyOf(purchase), key);
      if (isFinal(answer) || performance.now() > deadline) return answer;
    }
  };
  const [one, two] = [await place(), await place()];
  if (!isFinal(one)) wrong.push(`${purchase.user}: key ${key} answers ${one.status} ${one.text}`);
  if (!isSame(one, two, paysLater)) wrong.push(`${purchase.user}: key ${key} answers ${one.text}, then ${two.text}`);
  if (answer !== undefined && isFinal(answer) && !isSame(answer, one, paysLater)) {
    wrong.push(`${purchase.user}: key ${key} answered ${answer.text}, and now ${one.text}`);
  }
}

const isSame = (a: Answer, b: Answer, paysLater: boolean): boolean =>
  a.status === b.status && (a.text === b.text || (paysLater && orderIdIn(a.text) === orderIdIn(b.text)));

const dataOf = ({ text }: Answer): string => JSON.stringify((JSON.parse(text) as { data: unknown }).data);

/** Each buyer has one purchase: at most one order, and at least one where the system promised one. */
async function checkBuyers(client: PostgresClient, entries: readonly Entry[]): Promise<void> {
  const rows = await client.query<{ user_id: string; orders: number }>(
    'count the orders of each buyer',
    'select user_id, count(*) as orders from orders group by user_id',
  );
  const orders = new Map(rows.map((row) => [row.user_id, row.orders]));
  const promised = new Map<string, boolean>();
  for (const entry of entries) {
    const isPromised = entry.key !== undefined || (lastAnswer(entry)?.status ?? 503) !== 503;
    promised.set(entry.purchase.user, promised.get(entry.purchase.user) === true || isPromised);
  }
  const wrong = [...promised].filter(([user, isPromised]) => {
    const count = orders.get(user) ?? 0;
    return count > 1 || (isPromised && count === 0);
  });
  const shown = wrong.slice(0, SHOWN).map(([user]) => `${user}: ${orders.get(user) ?? 0}`);
  assert.equal(shown, [], `${wrong.length} buyers have not the one order they should have`);
}

const STOCK = `
  with moved as (
    select product_id,
      sum(quantity) filter (where operation_type = 'receive') as received,
      sum(quantity) filter (where operation_type = 'hold') as held,
      sum(quantity) filter (where operation_type = 'release') as released,
      sum(quantity) filter (where operation_type = 'commit') as committed
    from inventory_operations group by product_id
  ), sold as (
    select i.product_id, sum(i.quantity) as sold
    from order_items i join orders o using (order_id) where o.status in ('confirmed', 'shipped', 'delivered') group by i.product_id
  )
  select p.product_id, p.on_hand::bigint, p.held::bigint,
    coalesce(received, 0)::bigint as received, coalesce(m.held, 0)::bigint as holds,
    coalesce(released, 0)::bigint as released, coalesce(committed, 0)::bigint as committed,
    coalesce(sold, 0)::bigint as sold
  from products p left join moved m using (product_id) left join sold using (product_id)`;

interface StockRow {
  readonly product_id: string;
  readonly on_hand: number;
  readonly held: number;
  readonly received: number;
  readonly holds: number;
  readonly released: number;
  readonly committed: number;
  readonly sold: number;
}

async function checkStock(client: PostgresClient): Promise<void> {
  const rows = await client.query<StockRow>('add up the stock', STOCK);
  assert.ok(rows.length > 0, 'there are no products');
  const wrong = rows.filter(
    (row) =>
      row.on_hand < 0 ||
      row.held !== 0 ||
      row.on_hand !== row.received - row.committed ||
      row.held !== row.holds - row.released - row.committed ||
      row.committed !== row.sold,
  );
  assert.equal(wrong.slice(0, SHOWN), [], `${wrong.length} of ${rows.length} products do not add up`);
}
