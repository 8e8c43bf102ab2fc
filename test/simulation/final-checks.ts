/**
 * Checks all promises at the end of a run, when everything is healed and quiet. It compares the stored rows, the
 * answers to clients and the appended records.
 */
import type { JournalId } from '../../actors/ids.js';
import { journalLog } from '../../actors/node/record.js';
import { absentOrder, isSettled, type OrderState } from '../../actors/order/order.js';
import { evolveOrder } from '../../actors/order/order-fold.js';
import { paymentStatusOf } from '../../actors/order/transitions.js';
import type { Log } from '../../actors/ports/log.js';
import type { HistoryRow, OperationRow } from '../../actors/ports/snapshot-rows.js';
import type { Clients } from './clients.js';
import type { Setting } from './machine.js';
import type { Provider } from './provider.js';
import type { Stores } from './stores.js';
import type { Verdict } from './verdict.js';

const ALL = { page: 1, pageSize: Number.MAX_SAFE_INTEGER };

export async function checkEverything(stores: Stores, clients: Clients, setting: Setting, verdict: Verdict) {
  const { truth, queries, provider } = stores;
  const { orders } = await queries.orders({}, ALL);
  const { operations } = await queries.operations(undefined, ALL);
  const byOrder = new Map<string, OperationRow[]>();
  for (const row of operations) if (row.order) byOrder.set(row.order, [...(byOrder.get(row.order) ?? []), row]);

  if (orders.length !== truth.orders.size)
    verdict.fail('a 2xx is durable', `${orders.length} orders are stored, ${truth.orders.size} were appended`);
  let events = 0;
  for (const order of orders) {
    const history = await queries.history(order.id);
    events += history.length;
    checkHistory(order, history, verdict);
    checkHolds(order, byOrder.get(order.id) ?? [], verdict);
    if (!isSettled(order)) verdict.fail('one outcome', `order ${order.id} ends as ${order.phase}, something is owed`);
    if (JSON.stringify(order) !== JSON.stringify(truth.orders.get(order.id)))
      verdict.fail('a 2xx is durable', `order ${order.id} is not stored as it was appended`);
    // The money of an imported order is another system's.
    if (order.life.imported === undefined)
      checkMoney(order, setting.paymentLatencyMs > 0 ? provider : undefined, verdict);
  }
  await checkStock(stores, operations, verdict);
  checkClients(clients, stores, operations, verdict);
  if (events + operations.length !== truth.events)
    verdict.fail('no effect twice', `${events + operations.length} events are stored, ${truth.events} were appended`);
  if (stores.publishedEvents !== truth.events)
    verdict.fail('each event once, in order', `${stores.publishedEvents} of ${truth.events} events are on EVENTS`);
}

/** Promise 3: versions are dense, and an order's row is the fold of its events. */
function checkHistory(order: OrderState, history: readonly HistoryRow[], verdict: Verdict): void {
  let state = absentOrder(order.id);
  history.forEach(({ version, event, at }, i) => {
    if (version !== i + 1)
      verdict.fail('no effect twice', `order ${order.id} has version ${version} as event ${i + 1}`);
    state = evolveOrder(state, event, at);
  });
  if (JSON.stringify(state) !== JSON.stringify(order))
    verdict.fail('one outcome', `order ${order.id} is not the fold of its history`);
  const isOutcome = ({ event }: HistoryRow) =>
    event.type === 'confirmed' ||
    event.type === 'imported' ||
    event.type === 'failed' ||
    (event.type === 'cancelled' && event.was === 'pending');
  const ends = history.filter(isOutcome).length;
  if (ends !== 1) verdict.fail('one outcome', `order ${order.id} has ${ends} outcomes`);
}

/** Promise 2: each line is committed, or each held line is released. At the end no stock is held or waited for. */
function checkHolds(order: OrderState, rows: readonly OperationRow[], verdict: Verdict): void {
  const { phase, life } = order;
  const wasConfirmed = phase !== 'failed' && life.cancelled?.was !== 'pending';
  for (const { product, quantity, hold } of order.lines) {
    const sum = (type: OperationRow['type'], from = 1) =>
      rows
        .filter((row) => row.type === type && row.product === product && row.no >= from)
        .reduce((all, row) => all + row.quantity, 0);
    const wasHeld = hold === 'held' || hold === 'released';
    const given = wasHeld ? quantity - sum('unbackorder') : 0;
    const restocked = life.returns
      .filter((each) => each.restocked === true)
      .flatMap(({ lines }) => lines)
      .reduce((all, line) => all + (line.product === product ? line.quantity : 0), 0);
    const found = [sum('hold'), sum('release'), sum('commit'), sum('return'), sum('backorder'), sum('unbackorder')];
    const expected = [
      given,
      wasConfirmed ? 0 : given,
      wasConfirmed ? given : 0,
      wasConfirmed && phase === 'cancelled' ? given : restocked,
      wasHeld ? sum('hold', 2) + sum('unbackorder') : 0,
      phase === 'failed' || phase === 'cancelled' ? sum('unbackorder') : 0,
    ];
    if (found.join() === expected.join()) continue;
    const moved = `held, released, committed, returned, backordered, not any more: ${found}, expected ${expected}`;
    verdict.fail('all or nothing', `order ${order.id} (${phase}), ${quantity} ${product}: ${moved}`);
  }
  const strangers = rows.filter(({ product }) => !order.lines.some((line) => line.product === product));
  if (strangers.length > 0) verdict.fail('all or nothing', `order ${order.id} moved what it has no line for`);
}

/** Promise 1: the stock is the sum of its operations. */
async function checkStock({ queries, truth }: Stores, operations: readonly OperationRow[], verdict: Verdict) {
  const { products } = await queries.products(ALL);
  for (const product of products) {
    const rows = operations.filter((row) => row.product === product.id).sort((a, b) => a.version - b.version);
    let [onHand, held, backordered] = [0, 0, 0];
    rows.forEach((row) => {
      if (row.type === 'receive' || row.type === 'adjust' || row.type === 'return') onHand += row.quantity;
      if (row.type === 'hold') held += row.quantity;
      if (row.type === 'backorder') backordered += row.quantity;
      if (row.type === 'unbackorder' || (row.type === 'hold' && row.no > 1)) backordered -= row.quantity;
      if (row.type === 'release' || row.type === 'commit') held -= row.quantity;
      if (row.type === 'commit') onHand -= row.quantity;
      if (row.onHandAfter !== onHand || row.heldAfter !== held || row.backorderedAfter !== backordered)
        verdict.fail(
          'never oversold',
          `${product.id} ${row.version}: ${onHand}/${held}/${backordered} by its operations`,
        );
    });
    if (new Set(rows.map(({ ref, type, no }) => `${ref} ${type} ${no}`)).size !== rows.length)
      verdict.fail('no effect twice', `two operations of ${product.id} have one key`);
    const versions = new Set(rows.map(({ version }) => version));
    if (versions.size !== rows.length || !rows.every((_, i) => versions.has(i + 1)))
      verdict.fail('no effect twice', `the operations of ${product.id} are not dense`);
    const numbers = [product.onHand, product.held, product.backordered];
    if (numbers.join() !== [onHand, held, backordered].join() || held !== 0 || backordered !== 0)
      verdict.fail(
        'never oversold',
        `${product.id} has ${numbers}, by its operations ${onHand},${held},${backordered}`,
      );
    if (JSON.stringify(truth.products.get(product.id)) !== JSON.stringify(product))
      verdict.fail('a 2xx is durable', `product ${product.id} is not stored as it was appended`);
  }
}

/** Promises 4 and 5: each acknowledged request had its effect, once. */
function checkClients(
  clients: Clients,
  { truth }: Stores,
  operations: readonly OperationRow[],
  verdict: Verdict,
): void {
  for (const { id, acknowledged, alias, namesAlias } of clients.keys.values()) {
    if (namesAlias && truth.orders.has(id))
      verdict.fail('a repeat is an answer', `order ${id} was made, though its key names ${alias}`);
    if (acknowledged && !truth.orders.has(id)) verdict.fail('a 2xx is durable', `order ${id} is gone`);
  }
  for (const { order, ref, isDone } of clients.acts.asked.values()) {
    if (isDone && !truth.orders.get(order)?.life.acts.some((act) => act.ref === ref))
      verdict.fail('a 2xx is durable', `act ${ref} of order ${order} is gone`);
  }
  for (const [ref, { acknowledged, refused }] of clients.writes.asked) {
    const times = operations.filter((row) => row.ref === ref).length;
    if (refused !== undefined && times > 0) verdict.fail('a no stays a no', `write ${ref}: ${refused}, and it is done`);
    if (times > 1) verdict.fail('no effect twice', `write ${ref} had ${times} effects`);
    if (acknowledged && times === 0) verdict.fail('a 2xx is durable', `write ${ref} is gone`);
  }
}

/** The order's payment state is consistent. It also matches the provider, if the provider has a memory. */
function checkMoney(order: OrderState, provider: Provider | undefined, verdict: Verdict): void {
  const { id, phase, payment, total = 0, life } = order;
  const wrong = (what: string) => verdict.fail('money follows the order', `order ${id} (${phase}, ${payment}) ${what}`);
  const given = life.refunds.filter(({ status }) => status === 'done');
  const sum = given.reduce((all, { minor }) => all + minor, 0);
  const hasMoved = ['paid', 'partially_refunded', 'refunded'].includes(payment);
  if (sum > 0 !== (payment === 'partially_refunded' || payment === 'refunded')) wrong(`has refunds of ${sum}`);
  if (payment === 'refunded' && sum !== total) wrong(`has refunds of ${sum} of ${total}`);
  if (life.refunds.some(({ status }) => status === 'owed')) wrong('owes a refund');
  const shown = paymentStatusOf(order);
  if (shown === 'pending') wrong('has ended, and says that a payment is pending');
  if (phase === 'failed' && hasMoved) wrong('failed, and its money has moved');
  if (phase === 'shipped' || phase === 'delivered') if (payment === 'authorized') wrong('is shipped, and not captured');
  if (phase === 'cancelled' && hasMoved && payment !== 'refunded') {
    if (!life.refunds.some(({ status }) => status === 'failed')) wrong('is cancelled, and keeps the money');
  }
  if (order.total === 0 && shown !== 'not_charged') wrong('costs nothing, and is charged');
  if (provider === undefined) return;
  const { authorized, captured, voided, refunds, askedForNothing } = provider.of(id);
  if (askedForNothing) wrong('and the provider was asked for nothing');
  if (hasMoved !== (captured !== undefined)) wrong(`and the provider has captured ${captured}`);
  if (captured !== undefined && captured !== total) wrong(`and the provider has captured ${captured} of ${total}`);
  if (payment === 'authorized' && (!authorized || voided)) wrong('is not authorized at the provider');
  if (shown === 'not_charged' && (authorized || voided)) wrong('was not charged, and the provider was asked');
  if (payment === 'voided' && !voided) wrong('is not voided at the provider');
  if (phase === 'failed' && authorized && !voided) wrong('and the provider still promises the money');
  if (phase === 'cancelled' && authorized && !voided && !hasMoved && payment !== 'failed')
    wrong('and the promise stands');
  const byOrder = given.map(({ id: ref, minor }) => `${ref} ${minor}`).sort();
  const byProvider = [...refunds].map(([ref, minor]) => `${ref} ${minor}`).sort();
  if (byOrder.join() !== byProvider.join())
    wrong(`was refunded ${byOrder.join(', ')}, by the provider ${byProvider.join(', ')}`);
}

/**
 * The journals are bounded: each sealed journal keeps its last record, the claims log keeps the claims that rows need.
 * @returns what is not removed yet; undefined when nothing is left to remove
 */
export async function untrimmed({ truth, log, snapshots }: Stores): Promise<string | undefined> {
  const rows = await snapshots.journals();
  for (const journal of truth.ownership.claimed) {
    const isSealed = truth.ownership.isSealed(journal);
    const left = await length(log, journalLog(journal));
    if (left > (isSealed ? 1 : 300)) return `journal ${journal} keeps ${left} records`;
    if (isSealed && rows.some((row) => row.journal === journal))
      return `the row of journal ${journal} is not forgotten`;
  }
  const claims = await length(log, 'claims');
  return claims > 1 ? `the claims log keeps ${claims} records` : undefined;
}

async function length(log: Log, name: string | JournalId): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const page = await log.read(name, after);
    if (page.length === 0) return count;
    count += page.length;
    after = page.at(-1)?.position ?? after;
  }
}
