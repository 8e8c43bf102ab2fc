// The contract of snapshots, lists and settlement, for every store.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId, orderId, partitionOf, productId, userId, writeId } from '../../actors/ids.js';
import { isSettled } from '../../actors/order/order.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Settlement } from '../../actors/ports/settlement.js';
import {
  eventsOf,
  foldedTo,
  NOWHERE,
  type PartitionRow,
  type Place,
  type Statement,
} from '../../actors/ports/snapshot-rows.js';
import type { Settlements, Snapshots } from '../../actors/ports/snapshots.js';
import type { Json, OrderEvent } from '../../actors/protocol.js';
import {
  afterCommands,
  anOperation,
  anOrder,
  aProduct,
  aTurn,
  lived,
  NASTY,
  SAMPLE_PARTITIONS as PARTITIONS,
  refOf,
  uniqueName,
} from './rig/storage-samples.js';

interface Stores {
  readonly snapshots: Snapshots;
  readonly queries: Queries;
  readonly settlements: Settlements;
}

const NODE = nodeId('node');
const ALL = Array.from({ length: PARTITIONS }, (_, i) => i);

export function storageContract(name: string, stores: Stores, after: () => Promise<void> = async () => {}): void {
  const { snapshots, queries, settlements } = stores;
  const test = suite(`storage contract: ${name}`);

  const open = async () => {
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, NODE);
    return journal;
  };
  const orders = (rows: Extract<Statement, { kind: 'orders' }>['rows'], certain = true): Statement => ({
    kind: 'orders',
    rows,
    certain,
  });
  const products = (rows: Extract<Statement, { kind: 'products' }>['rows'], certain = true): Statement => ({
    kind: 'products',
    rows,
    certain,
  });
  const stored = async (id: ReturnType<typeof orderId>) => (await snapshots.lookUp([id], [])).orders[0];
  const rejects = async (promise: Promise<unknown>, why: string) => {
    const refused = await promise.then(
      () => false,
      () => true,
    );
    assert.ok(refused, why);
  };

  test('an order comes back unchanged, in every phase, from a look-up, a load and a read', async () => {
    const journal = await open();
    const rows = lived().map((state, i) => anOrder(state, { epoch: 1, n: i + 1 }));
    assert.is(await snapshots.write(journal, orders(rows)), 'written');
    const ids = rows.map(({ state }) => state.id);
    const found = await snapshots.lookUp(ids, []);
    const loaded = await snapshots.load(ALL, PARTITIONS, ids);
    for (const { isNew: _, partition: __, history, ...row } of rows) {
      assert.equal(
        found.orders.find(({ state }) => state.id === row.state.id),
        row,
      );
      assert.equal(
        loaded.orders.find(({ state }) => state.id === row.state.id),
        row,
      );
      assert.equal(await queries.order(row.state.id), row.state);
      assert.equal(await queries.history(row.state.id), history.flatMap(eventsOf));
    }
  });

  test('any text that a client may send comes back', async () => {
    const journal = await open();
    const text = fc.string({ unit: 'binary', maxLength: 40 }).map((any) => any.replaceAll('\0', ''));
    const address = fc.jsonValue({ maxDepth: 2 }).map((any) => JSON.parse(JSON.stringify(any)) as Json);
    const content = fc.record(
      {
        user: text.map(userId),
        userIsNumber: fc.boolean(),
        lines: fc
          .uniqueArray(text, { minLength: 1, maxLength: 4 })
          .map((ids) => ids.map((id, i) => ({ product: productId(id), quantity: i + 1 }))),
        email: text,
        notes: text,
        paymentMethod: text,
        shippingAddress: address,
        billingAddress: address,
      },
      { requiredKeys: ['user', 'userIsNumber', 'lines'], noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(content, { minLength: 1, maxLength: 20 }), async (contents) => {
        const rows = contents.map((one) => anOrder(afterCommands(one, []), { epoch: 1, n: 1 }));
        assert.is(await snapshots.write(journal, orders(rows)), 'written');
        const found = await snapshots.lookUp(
          rows.map(({ state }) => state.id),
          [],
        );
        for (const { isNew: _, partition: __, history, ...row } of rows) {
          assert.equal(
            found.orders.find(({ state }) => state.id === row.state.id),
            row,
          );
          assert.equal(await queries.history(row.state.id), history.flatMap(eventsOf));
        }
      }),
      { numRuns: 20 },
    );
  });

  test('a load has the time of the last placing, also if that order is settled and not loaded', async () => {
    const journal = await open();
    const placedAt = (at: number) => {
      const [state] = lived().filter(isSettled);
      if (state === undefined) throw new Error('no sample is settled');
      return anOrder({ ...state, id: orderId(uniqueName('ORD')), createdAt: at, updatedAt: at }, { epoch: 1, n: 1 });
    };
    const rows = [1_999_000_000_000, 1_999_000_000_007, 1_999_000_000_003].map(placedAt);
    await snapshots.write(journal, orders(rows));
    const { orders: loaded, lastPlacedAt } = await snapshots.load(ALL, PARTITIONS, []);
    assert.is(lastPlacedAt, 1_999_000_000_007);
    assert.not(loaded.some(({ state }) => rows.some((row) => row.state.id === state.id)));
  });

  test('a load has the unsettled and the named orders of the requested partitions', async () => {
    const journal = await open();
    const rows = lived().map((state) => anOrder(state, { epoch: 1, n: 1 }));
    const stock = Array.from({ length: 20 }, () => aProduct(productId(uniqueName('P')), { epoch: 1, n: 1 }));
    await snapshots.write(journal, orders(rows));
    await snapshots.write(journal, products(stock));
    const mine = [3, 5, 7, 11];
    const loaded = await snapshots.load(mine, PARTITIONS, []);
    const ids = new Set(loaded.orders.map(({ state }) => state.id));
    for (const { state } of rows) {
      const settled =
        state.phase === 'confirmed'
          ? state.payment === 'paid'
          : state.phase === 'failed' && !state.voidOwed && state.lines.every(({ hold }) => hold !== 'asked');
      assert.is(ids.has(state.id), !settled && mine.includes(partitionOf('order', state.id, PARTITIONS)));
    }
    const found = new Set(loaded.products.map(({ state }) => state.id));
    for (const { state } of stock) {
      assert.is(found.has(state.id), mine.includes(partitionOf('product', state.id, PARTITIONS)));
    }
  });

  test('a load never has a row of a foreign partition, named or not', async () => {
    const journal = await open();
    const rows = lived().map((state) => anOrder(state, { epoch: 1, n: 1 }));
    await snapshots.write(journal, orders(rows));
    const ids = rows.map(({ state }) => state.id);
    for (const mine of [[], [0], [4, 9], ALL.slice(1)]) {
      const loaded = await snapshots.load(mine, PARTITIONS, ids);
      for (const { state } of loaded.orders) assert.ok(mine.includes(partitionOf('order', state.id, PARTITIONS)));
      for (const { state } of loaded.products) assert.ok(mine.includes(partitionOf('product', state.id, PARTITIONS)));
      const found = new Set(loaded.orders.map(({ state }) => state.id));
      const named = ids.filter((id) => mine.includes(partitionOf('order', id, PARTITIONS)));
      assert.ok(named.every((id) => found.has(id)));
    }
  });

  test('a settled order that is owed something again is loaded again', async () => {
    const journal = await open();
    const settled = lived().find(isSettled);
    if (settled === undefined) throw new Error('no sample is settled');
    const before = anOrder(settled, { epoch: 1, n: 1 });
    const { id } = settled;
    const isLoaded = async () =>
      (await snapshots.load([before.partition], PARTITIONS, [])).orders.some(({ state }) => state.id === id);
    await snapshots.write(journal, orders([before]));
    assert.not(await isLoaded());
    const again = {
      ...anOrder({ ...settled, voidOwed: true, payment: 'authorized' }, { epoch: 1, n: 2 }),
      isNew: false,
    };
    assert.not(isSettled(again.state));
    await snapshots.write(journal, orders([{ ...again, history: [] }]));
    assert.ok(await isLoaded());
  });

  test('a later load has the products that changed since an earlier one, and all orders', async () => {
    const journal = await open();
    const partition = 6;
    const mine = (what: 'order' | 'product') => {
      for (;;) {
        const id = uniqueName('X');
        if (partitionOf(what, id, PARTITIONS) === partition) return id;
      }
    };
    const product = () => productId(mine('product'));
    const still = aProduct(product(), { epoch: 8, n: 40 });
    const early = aProduct(product(), { epoch: 8, n: 60 });
    const moved = aProduct(product(), { epoch: 8, n: 10 });
    const taken = aProduct(product(), { epoch: 8, n: 20 });
    const [state] = lived();
    if (state === undefined) throw new Error('no sample');
    const order = anOrder({ ...state, id: orderId(mine('order')) }, { epoch: 8, n: 3 });
    await snapshots.write(journal, products([still, early, moved, taken]));
    await snapshots.write(journal, orders([order]));
    const row = { ...aPartition(partition, journal), epoch: 8 };
    const last = { kind: 'last', partitions: [row], from: NOWHERE, to: at(50), publishedN: 0 } as const;
    assert.is(await snapshots.write(journal, last), 'written');

    const first = await snapshots.load([partition], PARTITIONS, []);
    const since = foldedTo(first.partitions, first.journals);
    assert.equal([...since], [[partition, { epoch: 8, n: 50 }]]);
    const ids = (loaded: typeof first) => new Set<string>(loaded.products.map((each) => each.state.id));
    for (const each of [still, early, moved, taken]) assert.ok(ids(first).has(each.state.id));

    const fresh = aProduct(product(), { epoch: 9, n: 2 });
    const changed = [
      { ...moved, n: 51, isNew: false },
      { ...taken, epoch: 9, n: 1, isNew: false },
    ];
    await snapshots.write(journal, products([...changed, fresh]));
    const second = await snapshots.load([partition], PARTITIONS, [], since);
    for (const each of [early, moved, taken, fresh]) assert.ok(ids(second).has(each.state.id));
    assert.not(ids(second).has(still.state.id));
    assert.is(second.products.find((each) => each.state.id === moved.state.id)?.n, 51);
    assert.ok(second.orders.some((each) => each.state.id === order.state.id));
    const other = await snapshots.load([partition], PARTITIONS, [], new Map([[partition + 1, { epoch: 99, n: 0 }]]));
    assert.ok(ids(other).has(still.state.id), 'a mark counts for its partition alone');
  });

  test('a flush to a closed or missing journal writes nothing', async () => {
    const journal = await open();
    const missing = journalId(uniqueName('missing'));
    await snapshots.closeJournals([journal, missing]);
    await snapshots.closeJournals([journal]);
    await rejects(snapshots.openJournal(journal, NODE), 'a closed journal is not opened again');
    const [state] = lived();
    if (state === undefined) throw new Error('no sample');
    const product = productId(uniqueName('P'));
    for (const closed of [journal, missing, journalId(uniqueName('never'))]) {
      for (const certain of [true, false]) {
        assert.is(await snapshots.write(closed, orders([anOrder(state, { epoch: 1, n: 1 })], certain)), 'closed');
        const row = { ...aProduct(product, { epoch: 1, n: 1 }), operations: [anOperation(product, 1)] };
        assert.is(await snapshots.write(closed, products([row], certain)), 'closed');
      }
      const last = {
        kind: 'last',
        partitions: [aPartition(1, closed)],
        from: NOWHERE,
        to: at(1),
        publishedN: 1,
      } as const;
      assert.is(await snapshots.write(closed, last), 'closed');
    }
    assert.is(await stored(state.id), undefined);
    assert.equal(await queries.history(state.id), []);
    assert.is((await queries.operations(product, { page: 1, pageSize: 10 })).total, 0);
    const rows = (await snapshots.journals()).filter((row) => row.journal === journal || row.journal === missing);
    assert.equal(
      rows.map(({ closed, folded }) => [closed, folded]),
      [
        [true, NOWHERE],
        [true, NOWHERE],
      ],
    );
  });

  test('several closers at once, of the same journals in any order, close each of them', async () => {
    const [one, two, open_] = [await open(), await open(), await open()];
    const missing = journalId(uniqueName('missing'));
    const lists = [[one, two], [two, one], [missing, one], [two, missing, one], [one, one], []];
    await Promise.all(lists.map((list) => snapshots.closeJournals(list)));
    const closed = new Map((await snapshots.journals()).map((row) => [row.journal, row.closed]));
    assert.equal(
      [one, two, missing, open_].map((journal) => closed.get(journal)),
      [true, true, true, false],
    );
  });

  test('a journal is forgotten once or twice; a late close makes an empty, closed row that is forgotten as well', async () => {
    const journal = await open();
    const last = { kind: 'last', partitions: [], from: NOWHERE, to: at(3), publishedN: 0 } as const;
    assert.is(await snapshots.write(journal, last), 'written');
    await snapshots.closeJournals([journal]);
    const rows = async () => (await snapshots.journals()).filter((row) => row.journal === journal);
    await Promise.all([snapshots.forgetJournal(journal), snapshots.forgetJournal(journal)]);
    await snapshots.forgetJournal(journal);
    assert.equal(await rows(), []);
    await snapshots.published(journal, 3);
    assert.equal(await rows(), []);
    await snapshots.closeJournals([journal]);
    assert.equal(
      (await rows()).map(({ closed, folded }) => [closed, folded]),
      [[true, NOWHERE]],
    );
    assert.is(await snapshots.write(journal, last), 'closed');
    await rejects(snapshots.openJournal(journal, NODE), 'a forgotten journal that was closed is not opened again');
    await snapshots.forgetJournal(journal);
    assert.equal(await rows(), []);
  });

  test('an older mark never overwrites a newer one; a later epoch beats any n', async () => {
    const journal = await open();
    const [held, confirmed] = lived().slice(0, 2);
    if (held === undefined || confirmed === undefined) throw new Error('no samples');
    const id = orderId(uniqueName('ORD'));
    const old = anOrder({ ...held, id }, { epoch: 1, n: 90 });
    const next = anOrder({ ...held, id, payment: 'declined' }, { epoch: 2, n: 5 });
    const write = async (row: typeof old) => snapshots.write(journal, orders([{ ...row, isNew: false }], false));
    await write(next);
    await write(old);
    assert.is((await stored(id))?.n, 5);
    assert.is((await stored(id))?.state.payment, 'declined');
    await write({ ...old, epoch: 2, n: 6 });
    assert.equal((await stored(id))?.state, old.state);

    const product = productId(uniqueName('P'));
    const stock = (onHand: number, mark: { epoch: number; n: number }) => {
      const row = aProduct(product, mark);
      return snapshots.write(journal, products([{ ...row, state: { ...row.state, onHand }, isNew: false }], false));
    };
    await stock(10, { epoch: 3, n: 1 });
    await stock(20, { epoch: 2, n: 100 });
    await stock(30, { epoch: 3, n: 1 });
    const found = (await snapshots.load(ALL, PARTITIONS, [])).products.find(({ state }) => state.id === product);
    assert.is(found?.state.onHand, 10);
  });

  test('a repeated flush without an answer leaves the same rows', async () => {
    const journal = await open();
    const rows = lived().map((state, i) => anOrder(state, { epoch: 1, n: i + 1 }));
    const product = productId(uniqueName('P'));
    const stock = {
      ...aProduct(product, { epoch: 1, n: 1 }),
      operations: [1, 2, 3].map((no) => anOperation(product, no)),
    };
    await snapshots.write(journal, orders(rows));
    await snapshots.write(journal, products([stock]));
    await snapshots.write(journal, orders(rows, false));
    await snapshots.write(journal, products([stock], false));
    for (const { isNew: _, partition: __, history, ...row } of rows) {
      assert.equal(await stored(row.state.id), row);
      assert.equal(await queries.history(row.state.id), history.flatMap(eventsOf));
    }
    const { operations, total } = await queries.operations(product, { page: 1, pageSize: 10 });
    assert.is(total, 3);
    assert.equal(operations, [...stock.operations].reverse());
  });

  test('a turn written again beside a later one of the same moment leaves each event once', async () => {
    const journal = await open();
    const [state] = lived();
    if (state === undefined) throw new Error('no samples');
    const order = anOrder(state, { epoch: 1, n: 1 });
    const { id, correlation, createdAt: at } = state;
    const shared = { order: id, correlation, at };
    const paid: OrderEvent = { type: 'paid', captured: true };
    const history = [aTurn({ ...shared, version: 1, n: 1 }, paid, { type: 'confirmed' })];
    const later = aTurn({ ...shared, version: 3, n: 2 }, { type: 'captured' }, { type: 'voided' });
    await snapshots.write(journal, orders([{ ...order, history }]));
    await snapshots.write(journal, orders([{ ...order, history: [...history, later], n: 2 }], false));
    const found = await queries.history(state.id);
    assert.equal(
      found.map(({ version, event }) => [version, event.type]),
      [
        [1, 'paid'],
        [2, 'confirmed'],
        [3, 'captured'],
        [4, 'voided'],
      ],
    );
  });

  test('a plain insert of an existing row throws and changes nothing', async () => {
    const journal = await open();
    const [a, b] = lived().map((state) => anOrder(state, { epoch: 1, n: 1 }));
    if (a === undefined || b === undefined) throw new Error('no samples');
    await snapshots.write(journal, orders([a]));
    await rejects(snapshots.write(journal, orders([b, a])), 'the order stands already');
    assert.is(await stored(b.state.id), undefined);
    await rejects(snapshots.write(journal, orders([{ ...a, isNew: false, n: 2 }])), 'its history stands already');
    assert.is((await stored(a.state.id))?.n, 1);
    const product = productId(uniqueName('P'));
    const stock = { ...aProduct(product, { epoch: 1, n: 1 }), operations: [anOperation(product, 1)] };
    await snapshots.write(journal, products([stock]));
    await rejects(snapshots.write(journal, products([{ ...stock, operations: [] }])), 'the product stands already');
    await rejects(
      snapshots.write(journal, products([{ ...stock, isNew: false, n: 2 }])),
      'its operation stands already',
    );
  });

  test('new and changed rows go in one statement', async () => {
    const journal = await open();
    const [charging, ...others] = lived();
    if (charging === undefined) throw new Error('no samples');
    const before = anOrder(charging, { epoch: 1, n: 1 });
    await snapshots.write(journal, orders([before]));
    const changed = {
      ...anOrder({ ...charging, payment: 'voided' as const }, { epoch: 1, n: 2 }),
      isNew: false,
      history: [],
    };
    const fresh = others.map((state) => anOrder(state, { epoch: 1, n: 2 }));
    assert.is(await snapshots.write(journal, orders([changed, ...fresh])), 'written');
    for (const { isNew: _, partition: __, history: ___, ...row } of [changed, ...fresh])
      assert.equal(await stored(row.state.id), row);
  });

  test('text with special characters is stored unchanged', async () => {
    const journal = await open();
    const [sample] = lived();
    if (sample === undefined) throw new Error('no samples');
    const rows = NASTY.map((text) => {
      const id = orderId(`${uniqueName('ORD')}${text}`);
      const content = {
        ...sample.content,
        email: text,
        notes: text,
        shippingAddress: text,
        billingAddress: { [text]: [text, null] },
      };
      return anOrder({ ...sample, id, content, correlation: text }, { epoch: 1, n: 1 });
    });
    await snapshots.write(journal, orders(rows));
    for (const { isNew: _, partition: __, history, ...row } of rows) {
      assert.equal(await stored(row.state.id), row);
      assert.equal(await queries.history(row.state.id), history.flatMap(eventsOf));
    }
    const stock = NASTY.map((text) => {
      const row = aProduct(productId(`${uniqueName('P')}${text}`), { epoch: 1, n: 1 });
      const operation = { ...anOperation(row.state.id, 1), reason: text, fingerprint: text };
      return { ...row, state: { ...row.state, name: text }, operations: [operation] };
    });
    await snapshots.write(journal, products(stock));
    for (const { state, operations } of stock) {
      assert.equal((await queries.operations(state.id, { page: 1, pageSize: 5 })).operations, operations);
    }
    const loaded = new Map(
      (await snapshots.load(ALL, PARTITIONS, [])).products.map((row) => [row.state.id, row.state]),
    );
    for (const { state } of stock) assert.equal(loaded.get(state.id), state);
  });

  test('orders that differ only in their ids are stored', async () => {
    const journal = await open();
    const [sample] = lived();
    if (sample === undefined) throw new Error('no samples');
    for (const text of NASTY) {
      const content = { ...sample.content, email: text, notes: text, shippingAddress: text };
      const rows = [1, 2, 3].map((n) =>
        anOrder({ ...sample, id: orderId(uniqueName('ORD')), content, correlation: text }, { epoch: 1, n }),
      );
      await snapshots.write(journal, orders(rows));
      for (const { isNew: _, partition: __, history, ...row } of rows) {
        assert.equal(await stored(row.state.id), row);
        assert.equal(await queries.history(row.state.id), history.flatMap(eventsOf));
      }
    }
  });

  test('a JSON null address differs from no address', async () => {
    const journal = await open();
    const [sample] = lived();
    if (sample === undefined) throw new Error('no samples');
    const id = orderId(uniqueName('ORD'));
    const { billingAddress: _, ...content } = sample.content;
    const state = { ...sample, id, content: { ...content, shippingAddress: null } };
    await snapshots.write(journal, orders([anOrder(state, { epoch: 1, n: 1 })]));
    assert.equal((await stored(id))?.state, state);
  });

  test('the last statement moves the journal by compare-and-set, with its partitions', async () => {
    const journal = await open();
    const other = await open();
    const last = (from: Place, to: Place, publishedN: number, rows: PartitionRow[] = []): Statement => ({
      kind: 'last',
      partitions: rows,
      from,
      to,
      publishedN,
    });
    const row = aPartition(1, journal);
    assert.is(await snapshots.write(journal, last(NOWHERE, at(5), 3, [row])), 'written');
    assert.is(await snapshots.write(journal, last(NOWHERE, at(5), 2, [row])), 'written', 'stands at `to` already');
    assert.is(await snapshots.write(journal, last(NOWHERE, at(9), 9, [aPartition(99, journal)])), 'closed');
    assert.is(await snapshots.write(journal, last({ ...at(5), recordId: 'another' }, at(9), 9)), 'closed');
    const older = { ...aPartition(1, other), epoch: row.epoch - 1 };
    assert.is(await snapshots.write(other, last(NOWHERE, at(1), 1, [older])), 'written');
    await snapshots.published(journal, 4);
    await snapshots.published(journal, 1);
    const loaded = await snapshots.load([row.partition], PARTITIONS, []);
    assert.equal(loaded.partitions, [row]);
    assert.equal(
      loaded.journals.find((found) => found.journal === journal),
      { journal, node: NODE, closed: false, folded: at(5), publishedN: 4 },
    );
    assert.equal(
      (await snapshots.partitionMarks()).find(({ partition }) => partition === row.partition),
      { partition: row.partition, epoch: row.epoch, journal: row.journal },
    );
    assert.not((await snapshots.partitionMarks()).some(({ partition }) => partition === 99));
    await snapshots.forgetJournal(journal);
    assert.not((await snapshots.journals()).some((found) => found.journal === journal));
  });

  test('a write is found by its reference; an order is not a write', async () => {
    const journal = await open();
    const product = productId(uniqueName('P'));
    const [written, held] = [
      anOperation(product, 1),
      { ...anOperation(product, 2), type: 'hold' as const, order: orderId(uniqueName('ORD')) },
    ];
    await snapshots.write(
      journal,
      products([
        {
          ...aProduct(product, { epoch: 1, n: 1 }),
          operations: [written, { ...held, ref: held.order, fingerprint: null }],
        },
      ]),
    );
    const found = await snapshots.lookUp([orderId('none')], [refOf(written), writeId(held.order), writeId('none')]);
    assert.equal(found, { orders: [], writes: [{ ref: refOf(written), product, fingerprint: written.fingerprint }] });
    assert.equal(await snapshots.lookUp([], []), { orders: [], writes: [] });
  });

  test('a refused write is found by its reference, with the reason; a repeated statement changes nothing', async () => {
    const journal = await open();
    const [product, other] = [productId(uniqueName('P')), productId(uniqueName('P'))];
    const ref = writeId(uniqueName('W'));
    const refused = { ref, product, fingerprint: '"f\\', refusal: 'below_held', at: 1_700_000_000_000 } as const;
    const rows = [refused, { ...refused, product: other, refusal: 'too_much_stock' as const }];
    assert.is(await snapshots.write(journal, { kind: 'refusals', rows }), 'written');
    assert.is(await snapshots.write(journal, { kind: 'refusals', rows }), 'written');
    const { writes } = await snapshots.lookUp([], [ref, writeId('none')]);
    const byProduct = [...writes].sort((a, b) => (a.product < b.product ? -1 : 1));
    const shown = ({ refusal, at: _, ...row }: (typeof rows)[number]) => ({ ...row, refused: refusal });
    assert.equal(
      byProduct,
      rows.map(shown).sort((a, b) => (a.product < b.product ? -1 : 1)),
    );
    await snapshots.closeJournals([journal]);
    const late = { ...refused, ref: writeId(uniqueName('W')) };
    assert.is(await snapshots.write(journal, { kind: 'refusals', rows: [late] }), 'closed');
    assert.equal((await snapshots.lookUp([], [late.ref])).writes, []);
  });

  test('lists are newest first and stable, and their totals are exact', async () => {
    const journal = await open();
    const [sample] = lived();
    if (sample === undefined) throw new Error('no samples');
    const user = uniqueName('user') as typeof sample.content.user;
    const rows = Array.from({ length: 25 }, (_, i) => {
      const id = orderId(`${uniqueName('ORD')}-${String(i).padStart(2, '0')}`);
      const phase = i % 5 === 0 ? 'failed' : 'confirmed';
      const state = {
        ...sample,
        id,
        phase,
        content: { ...sample.content, user },
        createdAt: 1_700_000_000_000 + Math.floor(i / 2),
      } as const;
      return anOrder({ ...state, voidOwed: false, payment: 'paid' }, { epoch: 1, n: 1 });
    });
    await snapshots.write(journal, orders(rows));
    const newest = rows.map(({ state }) => state).sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
    const pages = await Promise.all([1, 2, 3, 4].map((page) => queries.orders({ user }, { page, pageSize: 10 })));
    assert.equal(
      pages.map(({ orders }) => orders.length),
      [10, 10, 5, 0],
    );
    assert.ok(pages.every(({ total }) => total === 25));
    assert.equal(
      pages.flatMap(({ orders }) => orders),
      newest,
    );
    const status = async (word: 'failed' | 'confirmed' | 'shipped') =>
      (await queries.orders({ user, status: word }, { page: 1, pageSize: 100 })).total;
    assert.equal([await status('failed'), await status('confirmed'), await status('shipped')], [5, 20, 0]);
    assert.ok((await queries.orders({ status: 'failed' }, { page: 1, pageSize: 1 })).total >= 5);
    assert.ok((await queries.orders({}, { page: 1, pageSize: 1 })).total >= 25);
    const stock = await queries.products({ page: 1, pageSize: 3 });
    assert.is(stock.products.length, Math.min(3, stock.total));
    const operations = await queries.operations(undefined, { page: 1, pageSize: 3 });
    assert.is(operations.operations.length, Math.min(3, operations.total));
    assert.is(await queries.order(orderId('none')), undefined);
    assert.equal(await queries.history(orderId('none')), []);
  });

  test('the first settlement wins', async () => {
    const mine = (id: string): Settlement => ({ id, partitions: 16, journal: 'postgres', seed: 'demo' });
    assert.is(await settlements.settled(), undefined);
    const all = await Promise.all(['a', 'b', 'c'].map((id) => settlements.settle(mine(id))));
    assert.is(new Set(all.map(({ id }) => id)).size, 1);
    assert.equal(await settlements.settled(), all[0]);
    assert.equal(await settlements.settle(mine('d')), all[0]);
  });

  test('the probe succeeds', () => snapshots.probe());

  test.after(after);
  test.run();
}

const at = (n: number): Place => ({ n, position: n * 10, recordId: `record-${n}` });

const aPartition = (partition: number, journal: PartitionRow['journal']): PartitionRow => ({
  partition,
  epoch: 7,
  journal,
  seen: { 2: 5 },
  sent: {
    3: {
      last: 4,
      unconfirmed: [
        {
          from: partition,
          to: 3,
          number: 4,
          correlation: 'it\'s "c\\"',
          letter: {
            to: { kind: 'product', id: productId('P') },
            command: { type: 'hold', order: orderId('O'), quantity: 2 },
          },
        },
      ],
    },
  },
});
