// The laws of http/boutique/order-importer.ts, with a spool on a real disk and owners that answer as they are told to.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OrderId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { OrderState } from '../../../actors/order/order.js';
import type { PlaceReply, PlaceRequest } from '../../../actors/ports/owners.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { systemClock } from '../../../bus/system-clock.js';
import { OrderImporter } from '../../../http/boutique/order-importer.js';
import { shopProtos } from '../../../http/boutique/shop-protos.js';
import type { Passed } from '../../../http/boutique/shop-server.js';
import { OrderSpool } from '../../../storage/spool/order-spool.js';
import { until } from '../../deadlines.js';

const WITHIN_MS = 5_000;
const CARD = '4432-8015-6152-0454';

interface Line {
  readonly level: string;
  readonly fields: { readonly [name: string]: unknown };
  readonly line: string;
}

interface Bench {
  readonly importer: OrderImporter;
  readonly folder: string;
  readonly stored: string[];
  readonly lines: Line[];
  readonly failures: string[];
  readonly pauses: number[];
  /** By order; absent: it is stored. */
  readonly answers: Map<string, () => Promise<PlaceReply>>;
}

let folder = '';
let bench: Bench;

const test = suite('the importer of a shop');

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'importer-'));
});

test.after.each(async () => {
  bench.importer.stop();
  await rm(folder, { recursive: true, force: true });
});

/** @param changed parts of the spool */
async function start(changed: (spool: OrderSpool) => Partial<OrderSpool> = () => ({})): Promise<Bench> {
  const { spool, waiting } = await OrderSpool.open(folder, 1_000);
  const lines: Line[] = [];
  const log = (level: string) => (fields: object, line: string) =>
    void lines.push({ level, fields: { ...fields }, line });
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const failures: string[] = [];
  const stored: string[] = [];
  const pauses: number[] = [];
  const answers: Bench['answers'] = new Map();
  const owners = {
    async place({ order, content }: PlaceRequest): Promise<PlaceReply> {
      const answer = answers.get(order);
      if (answer !== undefined) return answer();
      stored.push(order);
      return { kind: 'outcome', state: { life: {}, content, lines: [] } as unknown as OrderState, repeat: true };
    },
  };
  const real = systemClock();
  const clock = {
    ...real,
    now: real.now,
    monotonic: real.monotonic,
    random: () => 1,
    after(delayMs: number, run: () => void) {
      pauses.push(delayMs);
      return real.after(delayMs, run);
    },
  };
  const meter = { stored() {}, differed() {}, failed: (why: string) => void failures.push(why) };
  const port = {
    get size() {
      return spool.size;
    },
    put: spool.put.bind(spool),
    putRefused: spool.putRefused.bind(spool),
    read: spool.read.bind(spool),
    remove: spool.remove.bind(spool),
    setAside: spool.setAside.bind(spool),
    ...changed(spool),
  };
  const importer = new OrderImporter({ owners, spool: port, meter, clock, logger }, waiting);
  bench = { importer, folder, stored, lines, failures, pauses, answers };
  return bench;
}

const orderText = (id: string) =>
  JSON.stringify({
    ...{ id, content: { user: '', userIsNumber: false, lines: [{ product: 'p', quantity: 1 }] } },
    facts: { origin: 'boutique', prices: [null] },
  });

/** A confirmation as the shop sends it. */
function told(order: object, email = 'ann@example.com'): Passed {
  const service = shopProtos['hipstershop.EmailService'] as {
    readonly [name: string]: { requestSerialize(message: object): Buffer };
  };
  const request = service.SendOrderConfirmation?.requestSerialize({ email, order }) ?? Buffer.alloc(0);
  return { service: 'email', request: Buffer.concat([request, cardBytes()]) };
}

/** A field that no .proto file names, as a card would be. */
const cardBytes = () => Buffer.concat([Buffer.from([0x32, CARD.length]), Buffer.from(CARD)]);

const usable = (id: string, more: object = {}) => ({
  order_id: id,
  items: [{ item: { product_id: 'p', quantity: 1 } }],
  ...more,
});

const files = async () => (await readdir(folder)).sort();

test('order-importer.N2: orders that cannot be stored keep no other waiting, and make no pause for others', async () => {
  for (let i = 0; i < 16; i++)
    await writeFile(join(folder, `0-${String(i).padStart(2, '0')}.json`), orderText(`away-${i}`));
  for (let i = 0; i < 40; i++)
    await writeFile(join(folder, `1-${String(i).padStart(2, '0')}.json`), orderText(`good-${i}`));
  await writeFile(join(folder, '2-locked.json'), orderText('locked'));
  const { importer, answers, stored, pauses } = await start((spool) => ({
    read: (name) =>
      name.includes('locked')
        ? Promise.reject(Object.assign(new Error('not permitted'), { code: 'EACCES' }))
        : spool.read(name),
  }));
  for (let i = 0; i < 16; i++)
    answers.set(`away-${i}`, () => Promise.reject(new Unavailable('its partition is away', true)));
  importer.start();
  assert.ok(await until(() => stored.length === 40, WITHIN_MS), `${stored.length} stored`);
  assert.ok(await until(() => importer.size === 17, WITHIN_MS), `${importer.size} are left`);
  assert.ok(pauses.length <= 2, `only a batch of which nothing was stored makes a pause: ${pauses}`);
  for (let i = 0; i < 16; i++) answers.delete(`away-${i}`);
  assert.ok(await until(() => stored.length === 56, WITHIN_MS), 'they are tried again');
  importer.stop();
});

test('order-importer.N3: a damaged file is set aside, and one that is gone is dropped; no line quotes a file', async () => {
  await writeFile(join(folder, '0-half.json'), '{"id":"half","secret');
  await writeFile(join(folder, '1-other.json'), '{"id":"other"}');
  await writeFile(join(folder, '2-gone.json'), orderText('gone'));
  await writeFile(join(folder, '3-good.json'), orderText('good'));
  const { importer, stored, lines, failures } = await start();
  await rm(join(folder, '2-gone.json'));
  importer.start();
  assert.ok(await until(() => importer.size === 0, WITHIN_MS), `${importer.size} wait`);
  assert.equal(stored, ['good']);
  assert.equal(await files(), ['0-half.refused', '1-other.refused']);
  assert.equal(failures, ['spool', 'spool', 'spool']);
  assert.not(JSON.stringify(lines).includes('secret'));
});

test('order-importer.N3: a file that cannot be removed or set aside keeps no other waiting', async () => {
  for (let i = 0; i < 20; i++) await writeFile(join(folder, `0-${i}.json`), i < 17 ? 'no order' : orderText(`o-${i}`));
  const stuck = () => Promise.reject(Object.assign(new Error('read only'), { code: 'EROFS' }));
  const { importer, stored } = await start(() => ({ remove: stuck, setAside: stuck }));
  importer.start();
  assert.ok(await until(() => new Set(stored).size === 3, WITHIN_MS), `${stored}`);
  assert.is(importer.size, 20);
});

test('order-importer.N3: an order that cannot be read as ours is set aside with its reason, and its id is logged', async () => {
  const { importer, lines, failures } = await start();
  const cases: [string, object, RegExp][] = [
    ['none-of-it', { items: [{ item: { product_id: 'p', quantity: 0 } }] }, /quantity/],
    ['no-product', { items: [{ item: { product_id: ' p', quantity: 1 } }] }, /product_id/],
    ['ORD-01ARZ3NDEKTSV4RRFFQ69G5FAV', {}, /order_id/],
    ['long', { items: Array(limits.linesPerOrder + 1).fill({ item: { product_id: 'p', quantity: 1 } }) }, /100 items/],
  ];
  for (const [id, more] of cases) await importer.keep(told(usable(id, more)));
  const kept = await files();
  assert.is(kept.length, 4);
  for (const [i, [id, , why]] of cases.entries()) {
    const text = await readFile(join(folder, kept[i] ?? ''), 'utf8');
    assert.match(kept[i] ?? '', /\.refused$/);
    const { why: said, order, email } = JSON.parse(text);
    assert.equal([order.order_id, email], [id, 'ann@example.com']);
    assert.match(said, why);
    assert.not(text.includes(CARD));
    assert.ok(lines.some(({ fields, line }) => fields.order === id && line.includes(id) && fields.file === kept[i]));
  }
  assert.equal(failures, Array(4).fill('unusable'));
  assert.not(JSON.stringify(lines).includes('ann@example.com'));
  await importer.keep({ service: 'email', request: Buffer.from([0xff]) });
  assert.is((await files()).length, 4, 'what is no message is not kept: it may have a card');
  assert.equal([importer.size, failures.length], [0, 5]);
});

test('order-importer.N1: orders that the disk does not take have a budget of bytes, and the rest is told as lost', async () => {
  const { importer, lines, failures } = await start(() => ({ put: () => new Promise(() => {}) }));
  const long = (i: number) => `${i}-${'ü'.repeat(240)}`;
  const items = Array.from({ length: 100 }, (_, i) => ({ item: { product_id: long(i), quantity: 1 } }));
  let asked = 0;
  for (; failures.length === 0 && asked < 10_000; asked++) void importer.keep(told(usable(`big-${asked}`, { items })));
  const bytesOfOne = 100 * 240 * 2;
  assert.ok(asked > 100 && asked <= limits.importMemoryBytes / bytesOfOne + 1, `${asked} were taken`);
  assert.equal(failures, ['spool']);
  const lost = lines.find(({ line }) => line.includes('lost here'));
  assert.is(lost?.fields.order, `big-${asked - 1}`);
  assert.is(importer.size, asked - 1, 'what is being written is not stored yet');
  importer.stop();
  const named = lines.flatMap(({ fields }) => (fields.orders as string[] | undefined) ?? []);
  assert.is(named.length, asked - 1, 'a stop names them');
});

test('order-importer.N1: an order that the disk refuses is stored from memory, and gives its room back', async () => {
  const { importer, stored, lines } = await start(() => ({
    put: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })),
  }));
  for (let i = 0; i < 3; i++) await importer.keep(told(usable(`m-${i}`)));
  assert.ok(await until(() => importer.size === 0, WITHIN_MS));
  assert.equal(stored, ['m-0', 'm-1', 'm-2']);
  importer.stop();
  assert.not(lines.some(({ fields }) => 'orders' in fields));
});

test('what is in hand counts as not stored, also what is only in memory, and a stop names that', async () => {
  const { importer, answers, lines } = await start(() => ({
    put: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })),
  }));
  let answer = () => {};
  answers.set(
    'slow',
    () =>
      new Promise((resolve) => {
        answer = () => resolve({ kind: 'unavailable' } as PlaceReply);
      }),
  );
  await importer.keep(told(usable('slow')));
  assert.is(importer.size, 1);
  importer.stop();
  assert.ok(lines.some(({ level, fields }) => level === 'error' && String(fields.orders) === 'slow'));
  answer();
});

test('texts are cut to what the API takes, with no half of a character', async () => {
  const { importer } = await start((spool) => ({
    put: (text, at) => spool.put(text, at),
    read: () => new Promise(() => {}),
  }));
  const long = `${'x'.repeat(limits.textChars - 1)}😀${'"'.repeat(20_000)}`;
  const address = { street_address: long, city: long, state: long, country: long, zip_code: 94043 };
  await importer.keep(told(usable('long', { shipping_tracking_id: long, shipping_address: address }), long));
  const [name = ''] = await files();
  const text = await readFile(join(folder, name), 'utf8');
  const { id, content, facts } = JSON.parse(text) as {
    id: OrderId;
    content: Record<string, unknown>;
    facts: Record<string, unknown>;
  };
  assert.is(id, 'long');
  for (const cut of [content.email, facts.tracking]) assert.is(cut, `${'x'.repeat(limits.textChars - 1)}\ufffd`);
  assert.ok(JSON.stringify(content.shippingAddress).length <= limits.addressJsonChars);
  assert.is((content.shippingAddress as { zip_code: string }).zip_code, '94043');
  assert.not(/\\ud[89a-f]/.test(text));
});

test.run();
