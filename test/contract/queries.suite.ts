// The contract of lists, filters, searches and ledgers, for every store: their answers equal those of plain code
// over the same orders, for any combination of filters.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId, orderId, type ProductId, productId, userId, writeId } from '../../actors/ids.js';
import { comparable, decimalText } from '../../actors/money.js';
import type { OrderState } from '../../actors/order/order.js';
import { paymentStatusOf } from '../../actors/order/transitions.js';
import type { OrderFilter, OrderKey, Queries, SearchIndex } from '../../actors/ports/queries.js';
import type { OperationRow } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { OrderCommand, OrderContent } from '../../actors/protocol.js';
import { orderWords, wordsOf } from '../../actors/search-words.js';
import { afterCommands, anOperation, anOrder, aProduct, lived, uniqueName } from './rig/storage-samples.js';

interface QueryStores {
  readonly snapshots: Snapshots;
  readonly queries: Queries;
  /** Waits until the read model is complete; absent if it never lags. */
  readonly index?: SearchIndex;
  /** The same queries with counts exact up to `exact` only; absent if no count is an estimate. */
  readonly capped?: { readonly queries: Queries; readonly exact: number };
}

const CITIES = ['Berlin', 'Bergen', 'Oslo', 'São Paulo', '東京'];
const START = Date.UTC(2026, 0, 1);
const COUNT = 120;

export function queriesContract(
  name: string,
  { snapshots, queries, index, capped }: QueryStores,
  after = async () => {},
): void {
  const test = suite(`queries contract: ${name}`);
  const [user, other] = [userId(uniqueName('user')), userId(uniqueName('user'))];
  const products = ['a', 'b', 'c'].map((letter) => productId(uniqueName(`prod-${letter}`)));
  const states = samples();
  const newest = [...states].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  const journal = journalId(uniqueName('journal'));

  function samples(): OrderState[] {
    const phases = lived().filter(({ phase }) => phase === 'confirmed' || phase === 'failed');
    return Array.from({ length: COUNT }, (_, i) => {
      const sample = phases[i % phases.length];
      if (sample === undefined) throw new Error('no samples');
      const product = products[i % products.length] ?? productId('none');
      const city = CITIES[i % CITIES.length] ?? '';
      const content = {
        ...sample.content,
        user: i % 3 === 0 ? other : user,
        email: `ada.${i}@post-${i % 4}.example`,
        shippingAddress: { street: `${i} Elm "Tree" Street\n`, city, zip: [String(10_000 + i)] },
        notes: i % 10 === 0 ? `Ring ${i % 20 === 0 ? 'twice' : 'once'}, please—thanks` : `note${i}`,
      };
      const lines = sample.lines.map((line, at) => (at === 0 ? { ...line, product } : line));
      const id = orderId(`${uniqueName('ORD')}-${i}`);
      return { ...sample, id, content, lines, createdAt: START + Math.floor(i / 4) * 3_600_000 };
    });
  }

  /** The whole list, read by cursor. */
  async function walked(filter: OrderFilter, limit: number): Promise<string[]> {
    const ids: string[] = [];
    let key: OrderKey | undefined;
    for (let more = true; more; ) {
      const page = await queries.ordersAfter(filter, key, limit);
      assert.ok(page.orders.length <= limit && (!page.more || page.orders.length === limit));
      ids.push(...page.orders.map(({ id }) => id));
      assert.ok(ids.length < 10_000, 'the walk comes to no end');
      const last = page.orders.at(-1);
      key = last && { at: last.createdAt, id: last.id };
      more = page.more;
    }
    return ids;
  }

  test.before(async () => {
    await snapshots.openJournal(journal, nodeId('node'));
    const rows = states.map((state, i) => anOrder(state, { epoch: 1, n: i + 1 }));
    await snapshots.write(journal, { kind: 'orders', rows, certain: true });
    await indexed();
  });

  async function indexed(): Promise<void> {
    for (let more = index !== undefined; more; ) more = (await index?.work())?.more === true;
  }

  const bounds = fc.integer({ min: -1, max: COUNT / 4 + 1 }).map((hours) => START + hours * 3_600_000);
  const totals = fc.constantFrom('0', '1', '14', '39.98', '39.9800', '19990039.98', '1000000000', '70000000000000.01');
  const filters = fc.record(
    {
      user: fc.constantFrom<string>(user, other, 'nobody'),
      status: fc.constantFrom('confirmed', 'failed', 'pending', 'shipped'),
      payment: fc.constantFrom('paid', 'declined', 'pending', 'not_charged', 'voided'),
      fulfillment: fc.constantFrom('unfulfilled', 'shipped'),
      product: fc.constantFrom<string>(...products, 'none'),
      currency: fc.constantFrom('USD', 'JPY', 'KWD', 'EUR', 'XXX'),
      from: bounds,
      to: bounds,
      minTotal: totals,
      maxTotal: totals,
      words: fc.constantFrom(
        'elm',
        'berlin',
        'ber',
        'BERLIN ring',
        'São',
        '東',
        'thanks',
        'post-1.example',
        'nope',
        '--',
      ),
    } as const,
    { requiredKeys: [], noNullPrototype: true },
  );

  const plainWords = ({ id, content, lines }: OrderState): string[] =>
    JSON.stringify([
      id,
      content.user,
      content.email,
      Object.values(Object(content.shippingAddress)),
      content.billingAddress,
      content.notes,
      lines.map(({ product }) => product),
    ])
      .replaceAll('\\n', ' ')
      .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
      .split(/[\s"\\,.:;@{}[\]—-]+/);
  const finds = (state: OrderState, words: string): boolean => {
    const asked = words
      .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
      .split(/[ .-]+/)
      .filter((word) => word !== '');
    const has = plainWords(state);
    const last = asked.pop();
    return last !== undefined && asked.every((word) => has.includes(word)) && has.some((word) => word.startsWith(last));
  };
  const expected = (f: OrderFilter): string[] =>
    newest
      .filter((o) => {
        const total = o.total === undefined ? undefined : comparable(decimalText(o.total, o.currency ?? ''));
        const within = (is: (known: bigint) => boolean) => total !== undefined && is(total);
        return (
          (f.user === undefined || f.user === o.content.user) &&
          (f.status === undefined || f.status === o.phase) &&
          (f.payment === undefined || f.payment === paymentStatusOf(o)) &&
          (f.fulfillment === undefined || f.fulfillment === 'unfulfilled') &&
          (f.product === undefined || o.lines.some(({ product }) => product === f.product)) &&
          (f.currency === undefined || f.currency === o.currency) &&
          (f.from === undefined || o.createdAt >= f.from) &&
          (f.to === undefined || o.createdAt < f.to) &&
          (f.minTotal === undefined || within((known) => known >= comparable(f.minTotal ?? ''))) &&
          (f.maxTotal === undefined || within((known) => known <= comparable(f.maxTotal ?? ''))) &&
          (f.words === undefined || finds(o, f.words))
        );
      })
      .map(({ id }) => id);

  test('any filters together list the matching orders, by page and by cursor, and count them', async () => {
    const mine = new Set<string>(states.map(({ id }) => id));
    await fc.assert(
      fc.asyncProperty(filters, fc.integer({ min: 1, max: 40 }), async (filter, limit) => {
        const want = expected(filter);
        const listed = await walked(filter, limit);
        assert.equal(
          listed.filter((id) => mine.has(id)),
          want,
          JSON.stringify(filter),
        );
        if (listed.length > want.length) return; // orders of another suite in the same tables
        const page = await queries.orders(filter, { page: 1, pageSize: 100 });
        assert.equal(
          page.orders.map(({ id }) => id),
          want.slice(0, 100),
        );
        const second = await queries.orders(filter, { page: 2, pageSize: limit });
        assert.equal(
          second.orders.map(({ id }) => id),
          want.slice(limit, 2 * limit),
        );
        const counted = { total: want.length, isEstimate: false };
        assert.equal({ total: page.total, isEstimate: page.isEstimate }, counted);
        assert.equal(await queries.countOrders(filter), counted);
        await stopsAtItsCap(filter, want);
      }),
      { numRuns: 150 },
    );
  });

  /** A total is an estimate exactly when there are more rows than are counted, and is never below that limit. */
  async function stopsAtItsCap(filter: OrderFilter, want: readonly string[]): Promise<void> {
    if (capped === undefined) return;
    const page = await capped.queries.orders(filter, { page: 1, pageSize: 5 });
    assert.equal(
      page.orders.map(({ id }) => id),
      want.slice(0, 5),
    );
    for (const { total, isEstimate } of [page, await capped.queries.countOrders(filter)]) {
      assert.is(isEstimate, want.length > capped.exact, JSON.stringify(filter));
      assert.ok(isEstimate ? total > capped.exact : total === want.length, `${JSON.stringify(filter)}: ${total}`);
    }
  }

  test('the total of every pair of filters is exact', async () => {
    const values: { readonly [name in keyof OrderFilter]: readonly OrderFilter[name][] } = {
      user: [user, other],
      status: ['confirmed', 'failed'],
      payment: ['paid', 'declined', 'pending'],
      fulfillment: ['unfulfilled', 'shipped'],
      product: products.slice(0, 2),
      currency: ['USD', 'JPY', 'EUR'],
      from: [START + 10 * 3_600_000],
      to: [START + 20 * 3_600_000],
      minTotal: ['14', '100'],
      maxTotal: ['39.98', '1000000000'],
      words: ['elm', 'ber', 'oslo thanks', '--'],
    };
    const singles = Object.entries(values).map(([name, some]) => some.map((value) => ({ [name]: value })));
    const pairs = singles.flatMap((some, i) =>
      singles.slice(i + 1).flatMap((others) => some.flatMap((one) => others.map((two) => ({ ...one, ...two })))),
    );
    assert.ok(pairs.length > 200);
    // Another suite's orders may be in the same tables.
    const mine = ({ id }: { readonly id: string }) => newest.some((order) => order.id === id);
    let checked = 0;
    for (const filter of pairs as OrderFilter[]) {
      const want = expected(filter);
      const page = await queries.orders(filter, { page: 1, pageSize: 1_000 });
      assert.equal(page.orders.filter(mine).length, want.length, JSON.stringify(filter));
      assert.equal([page.total, page.isEstimate], [page.orders.length, false], JSON.stringify(filter));
      if (page.orders.length > want.length) continue;
      await stopsAtItsCap(filter, want);
      checked++;
    }
    assert.ok(checked > 100);
  });

  test('a search finds an order by each of its words, and by a prefix of the last', async () => {
    const [state] = newest;
    if (state === undefined) throw new Error('no samples');
    const found = async (words: string) => (await walked({ words, user: state.content.user }, 100)).includes(state.id);
    for (const words of [
      state.id,
      state.id.toLowerCase(),
      state.id.slice(0, -1),
      state.content.user,
      state.content.email ?? '',
    ]) {
      assert.ok(await found(words), words);
    }
    assert.not(await found(`${state.id} nope`));
    assert.not(await found('nope'));
    assert.not(await found('city'), 'the name of a field is no word of the order');
  });

  test('a search ignores case, accents and the separators between words', async () => {
    const [sample] = lived();
    if (sample === undefined) throw new Error('no samples');
    const notes = [
      ['José Núñez'.normalize('NFC'), ['jose', 'JOSÉ'.normalize('NFD'), 'nunez josé']],
      ['José Núñez'.normalize('NFD'), ['jose', 'JOSÉ'.normalize('NFC'), 'nunez josé']],
      ['Hauptstraße', ['HAUPTSTRASSE', 'hauptstras', 'hauptstraß']],
      ['ΟΔΟΣ ΕΡΜΟΥ', ['οδος', 'οδός ερμού', 'οδοσ']],
      ['30×40 cm', ['30', '40 30', '30×40']],
      ['شارع،مدينة', ['مدينة شارع']],
      ['Berlin→Oslo', ['oslo berl']],
      ['コーヒー・紅茶', ['紅茶 コーヒー']],
      ['בית־ספר', ['ספר בית']],
      ['кв№12', ['12', 'КВ№12']],
      ['\ufeffBergamo', ['bergamo']],
    ] as const;
    const rows = notes.map(([text], i) => {
      const id = orderId(uniqueName(`ORD-folded-${i}`));
      return anOrder({ ...sample, id, content: { ...sample.content, notes: text } }, { epoch: 1, n: 500 + i });
    });
    await snapshots.write(journal, { kind: 'orders', rows, certain: true });
    await indexed();
    for (const [i, [text, searches]] of notes.entries()) {
      for (const words of searches) {
        assert.ok((await walked({ words }, 100)).includes(rows[i]?.state.id ?? ''), `${words} in ${text}`);
      }
    }
    assert.not((await walked({ words: 'bergama' }, 100)).includes(rows.at(-1)?.state.id ?? ''));
  });

  test('for any texts, an order is found by each of its words and each prefix, and by no other word', async () => {
    const [sample] = lived();
    if (sample === undefined) throw new Error('no samples');
    const letters = fc.constantFrom(
      ...'aÉéßΣςσ1٣ıİдЁ中カﾞ가ﬁⅣ×-، №\u0301\u00ad\ufeff'.split(''),
      'e\u0301',
      '\u{1d400}',
      '😀',
    );
    const text = fc.array(letters, { maxLength: 12 }).map((each) => each.join(''));
    const texts = fc.sample(text, { numRuns: 150, seed: 42 });
    const mark = uniqueName('mark').replace(/[^a-z0-9]/gi, '');
    const rows = texts.map((notes, i) => {
      const content = { ...sample.content, notes, email: `${mark}@x` };
      return anOrder({ ...sample, id: orderId(`${mark}-${i}`), content }, { epoch: 1, n: 1_000 + i });
    });
    await snapshots.write(journal, { kind: 'orders', rows, certain: true });
    await indexed();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...texts), text, fc.nat(6), async (whole, other, chars) => {
        for (const search of [whole, other, Array.from(whole).slice(0, chars).join('')]) {
          const asked = wordsOf(`${mark} ${search}`);
          const last = asked.pop() ?? '';
          const want = rows.filter(({ state }) => {
            const { id, content, lines } = state;
            const products = lines.map(({ product }) => [product, undefined] as const);
            const { user, email, shippingAddress, billingAddress, notes } = content;
            const has = orderWords({ id, user, email, shippingAddress, billingAddress, notes, products });
            return asked.every((word) => has.has(word)) && [...has].some((word) => word.startsWith(last));
          });
          const found = await walked({ words: `${mark} ${search}` }, 100);
          assert.equal(found.sort(), want.map(({ state }) => state.id).sort(), search);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('orders without text are found by id, user and products, beside orders with text, in any combination', async () => {
    const sample = lived().find(({ phase }) => phase === 'confirmed');
    if (sample === undefined) throw new Error('no samples');
    const mark = uniqueName('plain')
      .replace(/[^a-z0-9]/gi, '')
      .toLowerCase();
    const stock = ['Blue Chair', 'Blue Désk', 'Lamp 40×40'].map((name, i) => {
      const product = aProduct(productId(`${mark}-P${i}`), { epoch: 1, n: 2_000 + i });
      return { ...product, state: { ...product.state, name } };
    });
    const names = new Map<string, string>(stock.map(({ state }) => [state.id, state.name]));
    await snapshots.write(journal, { kind: 'products', rows: stock, certain: true });
    const rows = Array.from({ length: 60 }, (_, i) => {
      const time = (1_000_000 + Math.floor(i / 3))
        .toString(36)
        .toUpperCase()
        .replace(/[ILOU]/g, 'X');
      const drawn = `ORD-${i % 2 === 0 ? '0' : '5'}${`${time}${i}`.padStart(25, i % 4 === 0 ? '7' : 'B')}`;
      // Ids that Holdfast did not draw are indexed as text.
      const id = orderId(i % 11 === 0 ? `X-${mark}-${i}` : i % 13 === 0 ? `${drawn}${i}-odd` : drawn);
      const products = stock.filter((_, at) => at === i % 3 || at === i % 4);
      const [line] = sample.lines;
      if (line === undefined) throw new Error('no line');
      const lines = products.map(({ state }) => ({ ...line, product: state.id }));
      const of = userId(`${mark}.${i % 7 === 0 ? 'ÉVA' : 'bo'} u${i % 5}`);
      const text = i % 3 === 0 ? { notes: `blue ring ${i}` } : {};
      const content: OrderContent = { user: of, userIsNumber: false, lines: sample.content.lines, ...text };
      return anOrder(
        { ...sample, id, content, lines, createdAt: START + Math.floor(i / 5) * 1_000 },
        { epoch: 1, n: 2_100 + i },
      );
    });
    // By then the users of the second half are known.
    for (const half of [rows.slice(0, 30), rows.slice(30)])
      await snapshots.write(journal, { kind: 'orders', rows: half, certain: true });
    await indexed();
    const all = rows.map(({ state }) => state).sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
    const word = fc.constantFrom(
      ...[
        mark,
        'eva',
        'bo',
        'u1',
        'u',
        'blue',
        'DESK',
        'cha',
        '40',
        'p1',
        'ring',
        'ord',
        'o',
        '0',
        '5',
        'lamp',
        'nope',
        '7',
      ],
      ...all.slice(0, 6).map(({ id }) => id.slice(4)),
      ...all.slice(0, 6).map(({ id }) => id.slice(0, 22)),
    );
    const filter = fc.record(
      {
        user: fc.constantFrom<string>(`${mark}.bo u1`, `${mark}.ÉVA u0`),
        status: fc.constantFrom('confirmed', 'failed'),
        product: fc.constantFrom<string>(...names.keys()),
        from: fc.constant(START + 3_000),
        to: fc.constant(START + 9_000),
        maxTotal: fc.constantFrom('1', '1000000000'),
      } as const,
      { requiredKeys: [], noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(word, { minLength: 1, maxLength: 3 }),
        filter,
        fc.integer({ min: 1, max: 9 }),
        async (some, of, limit) => {
          const words = some.join(' ');
          const asked = wordsOf(words);
          const last = asked.pop() ?? '';
          const want = all
            .filter(({ id, content, lines, createdAt, phase, total, currency }) => {
              const products = lines.map(({ product }) => [product, names.get(product)] as const);
              const { user: by, notes } = content;
              const has = orderWords({
                ...{ id, user: by, notes, products, email: undefined },
                ...{ shippingAddress: undefined, billingAddress: undefined },
              });
              const amount = comparable(decimalText(total ?? 0, currency ?? 'USD'));
              return (
                asked.every((each) => has.has(each)) &&
                [...has].some((each) => each.startsWith(last)) &&
                (of.user === undefined || of.user === by) &&
                (of.status === undefined || of.status === phase) &&
                (of.product === undefined || lines.some(({ product }) => product === of.product)) &&
                (of.from === undefined || createdAt >= of.from) &&
                (of.to === undefined || createdAt < of.to) &&
                (of.maxTotal === undefined || amount <= comparable(of.maxTotal))
              );
            })
            .map(({ id }) => id as string);
          const search = { ...of, words };
          const listed = await walked(search, limit + 20);
          const mine = new Set<string>(all.map(({ id }) => id));
          assert.equal(
            listed.filter((id) => mine.has(id)),
            want,
            JSON.stringify(search),
          );
          if (listed.length > want.length) return;
          assert.equal(await queries.countOrders(search), { total: want.length, isEstimate: false });
          const page = await queries.orders(search, { page: 2, pageSize: limit });
          assert.equal(
            [page.total, ...page.orders.map(({ id }) => id)],
            [want.length, ...want.slice(limit, 2 * limit)],
            JSON.stringify(search),
          );
          await stopsAtItsCap(search, want);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('an order of products that nobody received is found by their ids, and by a name that comes later', async () => {
    const mark = uniqueName('never')
      .replace(/[^a-z0-9]/gi, '')
      .toLowerCase();
    const missing = ['A', 'B'].map((letter) => productId(`${mark}-${letter}`));
    const of = userId(`${mark}.user`);
    const content = { user: of, userIsNumber: false, lines: missing.map((product) => ({ product, quantity: 1 })) };
    const unknown: OrderCommand = {
      type: 'holdsAnswered',
      answers: missing.map((product) => ({ product, answer: 'unknown' })),
    };
    const act = { ref: writeId(uniqueName('W')), fingerprint: 'f' };
    const lives: readonly (readonly OrderCommand[])[] = [[unknown], [{ type: 'timeOut' }], [{ type: 'cancel', act }]];
    const write = (state: OrderState, n: number, isNew = true) =>
      snapshots.write(journal, {
        ...{ kind: 'orders', certain: n % 2 === 0 },
        rows: [{ ...anOrder(state, { epoch: 1, n }), isNew, ...(!isNew && { history: [] }) }],
      });
    const drawn = (i: number) =>
      orderId(
        `ORD-0${mark
          .replace(/[^0-9]/g, '')
          .slice(-10)
          .padStart(24, '0')}${i}`,
      );
    const ids: string[] = [];
    for (const [i, life] of lives.entries()) {
      const [atOnce, later] = [drawn(2 * i), drawn(2 * i + 1)];
      await write(afterCommands(content, life, atOnce), 3_000 + 10 * i);
      await write(afterCommands(content, [], later), 3_001 + 10 * i);
      await indexed();
      await write(afterCommands(content, life, later), 3_002 + 10 * i, false);
      ids.push(atOnce, later);
    }
    await indexed();
    for (const words of [...missing, mark, `${of} ${missing[1]}`])
      assert.equal((await walked({ words }, 20)).sort(), ids.toSorted(), words);

    const received = aProduct(missing[0] ?? productId('none'), { epoch: 1, n: 3_100 });
    const name = `Kettle ${mark}late`;
    const rows = [{ ...received, state: { ...received.state, name } }];
    await snapshots.write(journal, { kind: 'products', rows, certain: true });
    await indexed();
    for (const words of [...missing, name]) assert.equal((await walked({ words }, 20)).sort(), ids.toSorted(), words);
  });

  test('any text is a valid search', async () => {
    const nasty = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }),
      fc.constantFrom(
        "'",
        '\\',
        "':*",
        "a' & !'b",
        ':*',
        '!!',
        '()',
        '<->',
        '%',
        '$1',
        "\\'",
        '😀'.repeat(100),
        'a '.repeat(100),
        '"',
        '*',
      ),
    );
    await fc.assert(
      fc.asyncProperty(nasty, async (text) => {
        const words = text.replaceAll('\0', '');
        await queries.orders({ words }, { page: 1, pageSize: 5 });
        await queries.ordersAfter({ words }, undefined, 5);
      }),
      { numRuns: 100 },
    );
  });

  test('orders of one moment have one order, page after page', async () => {
    const of = { user, product: products[1] ?? '' };
    assert.equal(await walked(of, 1), expected(of));
    assert.ok(expected(of).length > 20);
  });

  test('products are listed by id, by page and by cursor, and counted', async () => {
    const before = await queries.countProducts();
    const stock = Array.from({ length: 25 }, (_, i) =>
      productId(`${uniqueName('list')}-${i % 2 === 0 ? 'É' : 'z'}${i}`),
    );
    const rows = stock.map((product, i) => aProduct(product, { epoch: 1, n: 100 + i }));
    await snapshots.write(journal, { kind: 'products', rows, certain: true });
    const mine = new Set<string>(stock);
    const byId = [...stock].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const limit of [1, 7, 100]) {
      const ids: string[] = [];
      for (let after: ProductId | undefined, more = true; more; ) {
        const page = await queries.productsAfter(after, limit);
        assert.ok(page.products.length <= limit && (!page.more || page.products.length === limit));
        ids.push(...page.products.map(({ id }) => id));
        after = page.products.at(-1)?.id;
        more = page.more;
        assert.ok(ids.length < 10_000, 'the walk comes to no end');
      }
      assert.equal(
        ids.filter((id) => mine.has(id)),
        byId,
      );
      if (before.total > 0) continue; // products of another suite in the same tables
      const { products } = await queries.products({ page: 1, pageSize: 100 });
      assert.equal(
        products.map(({ id }) => id),
        ids,
      );
      assert.equal(await queries.countProducts(), { total: 25, isEstimate: false });
    }
    const [first] = byId;
    const at = first === undefined ? undefined : productId(first);
    assert.not((await queries.productsAfter(at, 100)).products.some(({ id }) => id === at));
    assert.equal(await queries.productsAfter(productId('\u{10ffff}'), 5), { products: [], more: false });
  });

  test('a ledger and an audit have every movement and any past balance', async () => {
    const product = productId(uniqueName('P'));
    const operations = Array.from({ length: 30 }, (_, i): OperationRow => {
      const row = anOperation(product, i + 1);
      return { ...row, at: START + Math.floor(i / 3) * 1_000 };
    });
    const row = { ...aProduct(product, { epoch: 1, n: 1 }), operations };
    await snapshots.write(journal, { kind: 'products', rows: [row], certain: true });
    const first = await queries.ledger(product, undefined, 20);
    assert.equal(first, { operations: operations.slice(10).reverse(), more: true });
    assert.equal(await queries.ledger(product, 11, 20), { operations: operations.slice(0, 10).reverse(), more: false });
    assert.equal(await queries.ledger(product, 11, 10), { operations: operations.slice(0, 10).reverse(), more: false });
    assert.equal(await queries.ledger(productId('none'), undefined, 10), { operations: [], more: false });
    const newest = operations.toReversed();
    for (const pageSize of [1, 7, 30, 100]) {
      for (let page = 1; (page - 2) * pageSize < newest.length; page++) {
        const cut = newest.slice((page - 1) * pageSize, page * pageSize);
        const expectedPage = { operations: cut, total: 30, isEstimate: false };
        assert.equal(await queries.operations(product, { page, pageSize }), expectedPage, `${page} of ${pageSize}`);
      }
    }
    for (let at = START - 500; at < START + 11_000; at += 500) {
      const expectedLast = operations.findLast((operation) => operation.at <= at);
      assert.equal(await queries.stockAt(product, at), { operation: expectedLast, version: 30 });
    }
    assert.equal(await queries.stockAt(productId('none'), START), { operation: undefined, version: 0 });
    const refs = operations.filter(({ order }) => order === null).map(({ ref }) => writeId(ref));
    assert.is(await queries.hasWrite([writeId('none'), ...refs.slice(-1)]), refs.length > 0);
    assert.not(await queries.hasWrite([writeId('none'), writeId('"{}\\')]));
  });

  test.after(after);
  test.run();
}
