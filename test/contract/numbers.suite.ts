// The contract of the numbers for people, for every store: after any flushes, repeats, late and concurrent ones, they
// equal those of plain code over the orders as they are stored.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId, nodeId, orderId, type ProductId, productId, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { OrderLine, OrderState, Phase } from '../../actors/order/order.js';
import type { Numbers, StatsFilter, StatsRow } from '../../actors/ports/numbers.js';
import type { OrderChange } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { FailureReason } from '../../actors/protocol.js';
import { anOrder, aProduct, lived, uniqueName } from './rig/storage-samples.js';

interface NumberStores {
  readonly snapshots: Snapshots;
  readonly queries: Numbers;
  /** Adds up what is queued; absent if nothing is. */
  readonly fold?: () => Promise<unknown>;
  /** Fails unless a recount by the store itself finds the same. */
  readonly recount?: () => Promise<void>;
}

const DAY = 86_400_000;
const START = Date.UTC(2026, 1, 27);
const DAYS = 4;
const SOLD: readonly string[] = ['confirmed', 'shipped', 'delivered'];
const STATUS: { readonly [P in Phase]?: string } = { holding: 'pending', charging: 'pending' };

/** An order is stored in a few of these versions, one after the other. */
const LIVES: readonly (readonly (readonly [Phase, FailureReason?])[])[] = [
  [['holding'], ['charging'], ['confirmed'], ['shipped'], ['delivered']],
  [['confirmed'], ['cancelled']],
  [['holding'], ['failed', 'out_of_stock']],
  [['charging'], ['failed', 'payment_declined']],
  [['failed', 'unknown_product']],
  [['confirmed'], ['confirmed'], ['shipped']],
];

export function numbersContract(
  name: string,
  { snapshots, queries, fold = async () => {}, recount = async () => {} }: NumberStores,
  after = async () => {},
): void {
  const test = suite(`numbers contract: ${name}`);
  const products = ['a', 'b', 'c', 'd', 'e "\\'].map((letter) => productId(uniqueName(`prod-${letter}`)));
  const users = ['u', 'v'].map((letter) => userId(uniqueName(letter)));
  const [sample] = lived();
  if (sample === undefined) throw new Error('no samples');
  const stored = new Map<string, OrderChange>();
  let journal: JournalId;
  let placed = 0;

  const opened = async () => {
    const id = journalId(uniqueName('journal'));
    await snapshots.openJournal(id, nodeId('node'));
    return id;
  };
  test.before(async () => {
    journal = await opened();
    const rows = products.map((id) => aProduct(id, { epoch: 1, n: 1 }));
    await snapshots.write(journal, { kind: 'products', rows, certain: true });
  });

  /** All versions of a new order. */
  function aLife(random: readonly number[]): OrderChange[] {
    const [life = 0, at = 0, currencyNo = 0, user = 0, ...quantities] = random;
    const id = orderId(uniqueName('ORD'));
    const createdAt = START + (at % (DAYS * DAY));
    const known = (['USD', 'JPY', 'KWD'] as const)[currencyNo % 3] ?? 'USD';
    const lines = quantities.map((quantity, i): OrderLine & { readonly product: ProductId } => ({
      product: products[(life + i) % products.length] ?? productId('none'),
      ...{ quantity: 1 + quantity, hold: 'held', backordered: 0, unitPrice: 1 + ((quantity * 7_919) % 100_000) },
    }));
    const asked = { ...sample, content: { ...sample?.content, user: users[user % 2] ?? userId('none') } } as OrderState;
    return (LIVES[life % LIVES.length] ?? []).map(([phase, reason], version) => {
      const isKnown = phase !== 'holding' && reason !== 'unknown_product';
      const state: OrderState = {
        ...asked,
        ...{ id, createdAt, updatedAt: createdAt + version, phase, reason, version: version + 1 },
        lines: isKnown ? lines : lines.map(({ unitPrice: _, ...line }) => line),
        currency: isKnown ? known : undefined,
        total: isKnown ? lines.reduce((sum, line) => sum + (line.unitPrice ?? 0) * line.quantity, 0) : undefined,
      };
      return { ...anOrder(state, { epoch: 1, n: ++placed }), isNew: version === 0, history: [] };
    });
  }

  const isNewer = (one: OrderChange, other: OrderChange | undefined) =>
    other === undefined || one.epoch > other.epoch || (one.epoch === other.epoch && one.n > other.n);
  const expect = (rows: readonly OrderChange[]) => {
    for (const row of rows) if (isNewer(row, stored.get(row.state.id))) stored.set(row.state.id, row);
  };

  // -------------------------------------------------------------- plain code

  function plainStats({ by, product, currency, from, to }: StatsFilter): StatsRow[] {
    const rows = new Map<string, { -readonly [K in keyof StatsRow]: StatsRow[K] }>();
    for (const { state } of stored.values()) {
      const day = new Date(state.createdAt).toISOString().slice(0, 10);
      if ((from !== undefined && day < from) || (to !== undefined && day >= to)) continue;
      if (currency !== undefined && state.currency !== currency) continue;
      const status = (STATUS[state.phase] ?? state.phase) as keyof StatsRow['statuses'];
      const keys = new Set<string>();
      for (const line of state.lines) {
        if (product !== undefined && line.product !== product) continue;
        const group = by === 'day' ? { day } : by === 'product' ? { product: line.product } : {};
        const key = JSON.stringify([group, state.currency]);
        const row = rows.get(key) ?? {
          ...group,
          ...{ currency: state.currency, orders: 0, units: 0, revenue: 0n, statuses: {}, rejections: {} },
        };
        rows.set(key, row);
        if (!keys.has(key)) {
          row.orders++;
          row.statuses = { ...row.statuses, [status]: (row.statuses[status] ?? 0) + 1 };
          const { reason } = state;
          if (reason !== undefined) row.rejections = { ...row.rejections, [reason]: (row.rejections[reason] ?? 0) + 1 };
        }
        keys.add(key);
        if (!SOLD.includes(status)) continue;
        row.units += line.quantity;
        row.revenue += BigInt((line.unitPrice ?? 0) * line.quantity);
      }
    }
    return [...rows.values()];
  }

  const comparable = (rows: readonly StatsRow[]): string[] =>
    rows
      .map(({ statuses, rejections, revenue, ...row }) =>
        JSON.stringify([row, `${revenue}`, Object.entries(statuses).sort(), Object.entries(rejections).sort()]),
      )
      .sort();

  /** Some lie months before or after. */
  const days = fc
    .oneof(fc.integer({ min: -1, max: DAYS + 1 }), fc.constantFrom(-400, -50, -27, 20, 35, 300))
    .map((no) => new Date(START + no * DAY).toISOString().slice(0, 10));
  const filters: fc.Arbitrary<StatsFilter> = fc.record(
    {
      by: fc.constantFrom('day' as const, 'product' as const, 'total' as const),
      product: fc.constantFrom<string>(...products, 'none'),
      currency: fc.constantFrom('USD', 'JPY', 'KWD', 'EUR'),
      from: days,
      to: days,
    } as const,
    { requiredKeys: ['by'], noNullPrototype: true },
  );

  async function agree(count: number): Promise<void> {
    await recount();
    const some = fc.sample(filters, count);
    for (const filter of [{ by: 'total' } as const, { by: 'day' } as const, { by: 'product' } as const, ...some]) {
      const { rows, more } = await queries.stats(filter, 1_000);
      assert.not(more);
      assert.equal(comparable(rows), comparable(plainStats(filter)), JSON.stringify(filter));
    }
  }

  // -------------------------------------------------------------- flushes

  const number = fc.nat(2 ** 31 - 1);
  const life = fc.tuple(number, number, number, number, fc.array(fc.nat(500), { minLength: 1, maxLength: 4 }));
  const step = fc.record({
    kind: fc.constantFrom('flush', 'again', 'late', 'at once', 'closed', 'fold'),
    take: number,
  });

  test('they equal a recount after any flushes, repeats, late and concurrent flushes, and take-overs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(life, { minLength: 1, maxLength: 12 }),
        fc.array(step, { minLength: 4, maxLength: 24 }),
        async (lives, steps) => {
          const waiting = lives.map(([a, b, c, d, quantities]) => aLife([a, b, c, d, ...quantities]));
          const flushed: OrderChange[] = [];
          /** The next version of some orders. Some skip versions, as a flush does under load. */
          const next = (take: number): OrderChange[] =>
            waiting.flatMap((versions, i) => {
              if (((take >> (i % 24)) & 1) === 0 || versions.length === 0) return [];
              const begins = !flushed.some(({ state }) => state.id === versions[0]?.state.id);
              const taken = versions.splice(0, 1 + (take % 2)).at(-1);
              return taken === undefined ? [] : [{ ...taken, isNew: begins }];
            });
          const write = async (rows: readonly OrderChange[], certain: boolean) => {
            if (rows.length > 0)
              assert.is(await snapshots.write(journal, { kind: 'orders', rows, certain }), 'written');
            expect(rows);
          };
          const some = (take: number) => flushed.filter((_, i) => ((take >> (i % 24)) & 1) === 1);
          for (const { kind, take } of steps) {
            if (kind === 'fold') await fold();
            else if (kind === 'again') await write(once(some(take)), false);
            else if (kind === 'closed') {
              const rows = some(take).map((row) => ({ ...row, n: row.n + 1_000_000 }));
              await snapshots.closeJournals([journal]);
              assert.is(await snapshots.write(journal, { kind: 'orders', rows, certain: false }), 'closed');
              journal = await opened();
            } else if (kind === 'late') {
              // The first one was not answered: its rows come again, with newer ones, as if nothing were there.
              const rows = next(take);
              if (take % 2 === 0) await write(rows, true);
              await write(rows, false);
              flushed.push(...rows);
            } else if (kind === 'at once') {
              const rows = next(take);
              const newer = rows.flatMap((row) => {
                const versions = waiting.find((left) => left[0]?.state.id === row.state.id);
                const later = versions?.shift();
                return later === undefined ? [row] : [later];
              });
              const old = once(some(take)).filter(({ state }) => !rows.some((row) => row.state.id === state.id));
              // In one order, as a node has them: otherwise they would wait for each other.
              const all = [...newer, ...old].sort((a, b) => (a.state.id < b.state.id ? -1 : 1));
              rows.sort((a, b) => (a.state.id < b.state.id ? -1 : 1));
              await Promise.all([write(rows, false), write(all, false), write(rows, false), fold()]);
              flushed.push(...rows, ...newer);
            } else {
              const rows = next(take);
              await write(rows, true);
              flushed.push(...rows);
            }
          }
          await agree(6);
        },
      ),
      { numRuns: 25, endOnFailure: true, includeErrorInReport: true },
    );
    while (((await fold()) as { more?: boolean } | undefined)?.more) {}
    await agree(60);
    assert.ok(stored.size > 40, `${stored.size} orders`);
  });

  /** One row an order, as a statement has. */
  const once = (rows: readonly OrderChange[]): OrderChange[] => [
    ...new Map(rows.map((row) => [row.state.id as string, row])).values(),
  ];

  test('days come newest first and products best sellers first, up to the limit', async () => {
    const days = (await queries.stats({ by: 'day', currency: 'USD' }, 1_000)).rows.map(({ day }) => day ?? '');
    assert.equal(days, [...days].sort().reverse());
    assert.ok(days.length > 1);
    const best = await queries.stats({ by: 'product', currency: 'USD' }, 2);
    assert.is(best.rows.length, 2);
    assert.ok(best.more);
    const all = plainStats({ by: 'product', currency: 'USD' }).sort((a, b) => b.units - a.units);
    assert.equal(
      best.rows.map(({ units }) => units),
      all.slice(0, 2).map(({ units }) => units),
    );
  });

  test('a sum has more digits than a double', async () => {
    const most = { product: productId(uniqueName('dear')), quantity: 1, hold: 'held', backordered: 0 } as const;
    const rows = Array.from({ length: 3 }, () => {
      const [first] = aLife([1, 0, 0, 0, 1]);
      if (first === undefined) throw new Error('no order');
      const unitPrice = Number.MAX_SAFE_INTEGER;
      return { ...first, state: { ...first.state, lines: [{ ...most, unitPrice }], total: unitPrice } };
    });
    await snapshots.write(journal, { kind: 'orders', rows, certain: true });
    expect(rows);
    const dear = async () => (await queries.stats({ by: 'product', product: most.product }, 5)).rows[0];
    assert.is((await dear())?.revenue, 3n * BigInt(Number.MAX_SAFE_INTEGER));
    await fold();
    assert.is((await dear())?.revenue, 3n * BigInt(Number.MAX_SAFE_INTEGER));
    await agree(5);
  });

  test("a user's summary counts its orders by status and currency, and names the first and the last", async () => {
    for (const user of users) {
      const mine = [...stored.values()]
        .map(({ state }) => state)
        .filter(({ content }) => content.user === user)
        .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
      const summary = await queries.userSummary(user);
      assert.is(summary?.orders, mine.length);
      assert.is(summary?.more, false);
      assert.equal(summary?.first, { id: mine[0]?.id, at: mine[0]?.createdAt });
      assert.equal(summary?.last, { id: mine.at(-1)?.id, at: mine.at(-1)?.createdAt });
      const sold = mine.filter(({ phase }) => SOLD.includes(phase));
      for (const { currency, orders, total } of summary?.totals ?? []) {
        const same = sold.filter((state) => state.currency === currency);
        assert.is(orders, same.length);
        assert.is(
          total,
          same.reduce((sum, state) => sum + BigInt(state.total ?? 0), 0n),
        );
      }
      const currencies = [...new Set(sold.map(({ currency }) => currency))].sort();
      assert.equal(summary?.totals.map(({ currency }) => currency).sort(), currencies);
      const counts = Object.values(summary?.statuses ?? {}).reduce((sum, count) => sum + count, 0);
      assert.is(counts, mine.length);
      assert.is(summary?.statuses.cancelled ?? 0, mine.filter(({ phase }) => phase === 'cancelled').length);
    }
    assert.is(await queries.userSummary('nobody'), undefined);
  });

  test('what is bought together is counted in the latest orders that were sold', async () => {
    for (const product of products) {
      const containing = [...stored.values()].filter(({ state }) =>
        state.lines.some((line) => line.product === product),
      );
      assert.ok(containing.length < limits.alsoBoughtOrders, 'all of them are looked at');
      const sold = containing.filter(({ state }) => SOLD.includes(state.phase));
      const answer = await queries.alsoBought(product, 10);
      assert.is(answer.orders, sold.length);
      const counts = products
        .filter((other) => other !== product)
        .map((other) => ({
          ...{ product: other, name: 'Thing' },
          orders: sold.filter(({ state }) => state.lines.some((line) => line.product === other)).length,
        }))
        .filter(({ orders }) => orders > 0)
        .sort((a, b) => b.orders - a.orders || (a.product < b.product ? -1 : 1));
      assert.equal(answer.products, counts);
      assert.equal((await queries.alsoBought(product, 2)).products, counts.slice(0, 2));
    }
    assert.equal(await queries.alsoBought(productId('none'), 10), { orders: 0, products: [] });
  });

  test.after(after);
  test.run();
}
