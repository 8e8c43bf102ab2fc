/**
 * When all is healed and quiet: the promises, from what is stored, from what was told and from what is true.
 */
import { type JournalId, paymentRef } from '../../actors/ids.js';
import { journalLog } from '../../actors/node/record.js';
import type { HistoryRow, OperationRow } from '../../actors/node/rows.js';
import { absentOrder, isSettled, type OrderState } from '../../actors/order.js';
import { evolveOrder } from '../../actors/order-events.js';
import type { Log } from '../../actors/ports.js';
import type { Clients } from './clients.js';
import type { Setting } from './machine.js';
import type { Stores } from './stores.js';
import type { Verdict } from './verdict.js';

const ALL = { page: 1, pageSize: Number.MAX_SAFE_INTEGER };

export async function checkEverything(stores: Stores, clients: Clients, setting: Setting, verdict: Verdict) {
  const { truth, queries, ledger } = stores;
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
    if (setting.paymentLatencyMs > 0) await checkMoney(order, ledger, verdict);
  }
  await checkStock(stores, operations, verdict);
  checkClients(clients, stores, operations, verdict);
  if (events + operations.length !== truth.events)
    verdict.fail('no effect twice', `${events + operations.length} events are stored, ${truth.events} were appended`);
  if (stores.publishedEvents !== truth.events)
    verdict.fail('each event once, in order', `${stores.publishedEvents} of ${truth.events} events are on EVENTS`);
  if (!setting.eventsMayForget) await checkTrimmed(stores, verdict);
}

/** Promise 3: dense versions, and the row is their fold. */
function checkHistory(order: OrderState, history: readonly HistoryRow[], verdict: Verdict): void {
  let state = absentOrder(order.id);
  history.forEach(({ version, event, at }, i) => {
    if (version !== i + 1)
      verdict.fail('no effect twice', `order ${order.id} has version ${version} as event ${i + 1}`);
    state = evolveOrder(state, event, at);
  });
  if (JSON.stringify(state) !== JSON.stringify(order))
    verdict.fail('one outcome', `order ${order.id} is not the fold of its history`);
  const ends = history.filter(({ event }) => event.type === 'confirmed' || event.type === 'failed').length;
  if (ends !== 1) verdict.fail('one outcome', `order ${order.id} has ${ends} outcomes`);
}

/** Promise 2: each line taken, or each that was held given back; nothing is held any more. */
function checkHolds(order: OrderState, rows: readonly OperationRow[], verdict: Verdict): void {
  const sum = (type: string, product: string) =>
    rows.filter((row) => row.type === type && row.product === product).reduce((all, row) => all + row.quantity, 0);
  for (const { product, quantity } of order.lines) {
    const [held, released, committed] = [sum('hold', product), sum('release', product), sum('commit', product)];
    const isRight =
      order.phase === 'confirmed'
        ? held === quantity && committed === quantity && released === 0
        : committed === 0 && held === released && (held === 0 || held === quantity);
    if (isRight) continue;
    const moved = `held ${held}, released ${released}, committed ${committed} of ${quantity} ${product}`;
    verdict.fail('all or nothing', `order ${order.id} (${order.phase}): ${moved}`);
  }
  const strangers = rows.filter(({ product }) => !order.lines.some((line) => line.product === product));
  if (strangers.length > 0) verdict.fail('all or nothing', `order ${order.id} moved what it has no line for`);
}

/** Promise 1: the stock follows from its operations, and from nothing else. */
async function checkStock({ queries, truth }: Stores, operations: readonly OperationRow[], verdict: Verdict) {
  const { products } = await queries.products(ALL);
  for (const product of products) {
    const rows = operations.filter((row) => row.product === product.id).sort((a, b) => a.version - b.version);
    let [onHand, held] = [0, 0];
    rows.forEach((row) => {
      if (row.type === 'receive' || row.type === 'adjust') onHand += row.quantity;
      if (row.type === 'hold') held += row.quantity;
      if (row.type === 'release' || row.type === 'commit') held -= row.quantity;
      if (row.type === 'commit') onHand -= row.quantity;
      if (row.onHandAfter !== onHand || row.heldAfter !== held)
        verdict.fail('never oversold', `${product.id} ${row.version}: ${onHand}/${held} by its operations`);
    });
    const versions = new Set(rows.map(({ version }) => version));
    if (versions.size !== rows.length || !rows.every((_, i) => versions.has(i + 1)))
      verdict.fail('no effect twice', `the operations of ${product.id} are not dense`);
    if (product.onHand !== onHand || product.held !== 0 || held !== 0)
      verdict.fail(
        'never oversold',
        `${product.id} has ${product.onHand}/${product.held}, by its operations ${onHand}/${held}`,
      );
    if (truth.products.get(product.id)?.onHand !== onHand)
      verdict.fail(
        'a 2xx is durable',
        `${product.id} has ${onHand}, by its journals ${truth.products.get(product.id)?.onHand}`,
      );
  }
}

/** Promises 4 and 5: what was told is there, once. */
function checkClients(
  clients: Clients,
  { truth }: Stores,
  operations: readonly OperationRow[],
  verdict: Verdict,
): void {
  for (const { id, acknowledged } of clients.keys.values()) {
    if (acknowledged && !truth.orders.has(id)) verdict.fail('a 2xx is durable', `order ${id} is gone`);
  }
  for (const [ref, { acknowledged }] of clients.writes) {
    const times = operations.filter((row) => row.ref === ref).length;
    if (times > 1) verdict.fail('no effect twice', `write ${ref} had ${times} effects`);
    if (acknowledged && times === 0) verdict.fail('a 2xx is durable', `write ${ref} is gone`);
  }
}

/** Asking the ledger once more changes nothing: it answers what stands. */
async function checkMoney(order: OrderState, ledger: Stores['ledger'], verdict: Verdict): Promise<void> {
  const asked =
    order.phase === 'confirmed' || order.voidOwed || order.payment === 'voided' || order.total !== undefined;
  if (!asked) return;
  const operation = order.phase === 'confirmed' ? 'authorize' : 'capture';
  const ref = paymentRef(order.id, operation);
  const amount = { minor: order.total ?? 0, currency: order.currency ?? '' };
  const stands = await ledger.record({ operation, order: order.id, ref, ...amount }, 'declined');
  if (order.phase === 'confirmed' && stands !== 'authorized')
    verdict.fail('money follows the order', `order ${order.id} is confirmed, its payment ${stands}`);
  if (order.phase === 'failed' && stands !== 'declined' && stands !== 'voided')
    verdict.fail('money follows the order', `order ${order.id} failed, its payment is ${stands}`);
}

/** The journals are bounded: of the sealed ones their last record, of the claims what the rows still need. */
async function checkTrimmed({ truth, log, snapshots }: Stores, verdict: Verdict): Promise<void> {
  const rows = await snapshots.journals();
  for (const journal of truth.journals) {
    const isOwn = journal === truth.ownersJournal;
    const left = await length(log, journalLog(journal));
    if (left > (isOwn ? 300 : 1)) verdict.fail('bounded', `journal ${journal} keeps ${left} records`);
    // A late close makes the row of a forgotten journal again, empty; the next start forgets it.
    if (!isOwn && rows.some((row) => row.journal === journal && row.folded.n > 0))
      verdict.fail('bounded', `the row of journal ${journal} is not forgotten`);
  }
  const claims = await length(log, 'claims');
  if (claims > 1) verdict.fail('bounded', `the claims log keeps ${claims} records`);
}

export async function length(log: Log, name: string | JournalId): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const page = await log.read(name, after);
    if (page.length === 0) return count;
    count += page.length;
    after = page.at(-1)?.position ?? after;
  }
}
