/** The promises of live events (actors/ports/live-events.ts), for every source of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId } from '../../actors/ids.js';
import type { EventFilter, Listening, LiveEvents } from '../../actors/ports/live-events.js';
import { LiveHub } from '../../bus/live/live-hub.js';
import type { LiveSource } from '../../bus/live/live-source.js';
import { systemClock } from '../../bus/system-clock.js';
import { until } from '../deadlines.js';

const clock = systemClock();
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const TOLD_MS = 10_000;

interface World {
  readonly source: LiveSource;
  /** One message of these events. */
  publish(journal: JournalId, turn: number, batch: string): Promise<void>;
  /** Retention removes everything so far. */
  expire(): Promise<void>;
  end(): Promise<void>;
}

/** An order's event as EVENTS has it, with a number that must come as it is. */
export function orderEvent(order: string, version: number, more: object = {}): string {
  const fields = Object.entries(more).map(([name, value]) => `,"${name}":${JSON.stringify(value)}`);
  return `{"id":"order/${order}/${version}","type":"order.placed.v1","subject":"${order}","data":{"total":10.50${fields.join('')}}}`;
}

const stockEvent = (product: string, version: number): string =>
  `{"id":"product/${product}/${version}","type":"inventory.held.v1","subject":"${product}","data":{"product_id":"${product}","order_id":"o"}}`;

/** A listener that keeps what it is told. */
class Client {
  readonly told: string[] = [];
  readonly texts: string[] = [];
  readonly gaps: string[] = [];
  ends: string[] = [];
  place = '';
  /** Takes so many more. */
  room = Number.POSITIVE_INFINITY;
  private listening: Listening | undefined;

  listen(events: LiveEvents, filter: EventFilter = {}, place = this.place): this {
    this.place = place;
    this.listening = events.listen(filter, place, {
      event: ({ id, text }) => {
        this.texts.push(text);
        this.told.push((JSON.parse(text) as { id: string }).id);
        this.place = id;
        this.room -= 1;
        return this.room > 0;
      },
      gap: (sentence) => {
        this.gaps.push(sentence);
        return true;
      },
      ended: (why) => void this.ends.push(why),
    });
    return this;
  }

  get rested(): string | undefined {
    return this.listening?.place;
  }

  goOn(room: number): void {
    this.room = room;
    this.listening?.goOn();
  }

  stop(): void {
    this.listening?.stop();
  }

  async has(told: readonly string[]): Promise<void> {
    await until(() => this.told.length >= told.length, TOLD_MS, 5);
    assert.equal(this.told, told);
  }
}

export function everyLiveEvents(name: string, make: () => Promise<World>): void {
  const test = suite(`live events: ${name}`);
  const hubs: LiveHub[] = [];
  let world: World;
  let journals = 0;
  const fresh = () => journalId(`LIVE${++journals}`);
  const hub = (ringBytes?: number) => {
    const made = new LiveHub({
      source: world.source,
      clock,
      logger: silent,
      ...(ringBytes !== undefined && { ringBytes }),
    });
    hubs.push(made);
    return made;
  };
  const ids = (order: string, from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => `order/${order}/${from + i}`);

  test.before(async () => {
    world = await make();
  });
  test.after.each(() => {
    for (const one of hubs.splice(0)) one.stop();
  });

  test.after(() => world.end());

  test('a listener is told what comes from now on, exactly as it is', async () => {
    const journal = fresh();
    await world.publish(journal, 1, `[${orderEvent('early', 1)}]`);
    const events = hub();
    const client = new Client().listen(events, {}, await events.now());
    const text = orderEvent('now', 1, { note: 'ü"}],[{😀\\' });
    await world.publish(journal, 4, `[${text},${stockEvent('p', 1)}]`);
    await client.has(['order/now/1', 'product/p/1']);
    assert.is(client.texts[0], text);
  });

  test('each listener gets what its filter says', async () => {
    const journal = fresh();
    const events = hub();
    const now = await events.now();
    const filters: Record<string, EventFilter> = {
      order: { order: 'f1' },
      product: { product: 'p2' },
      user: { user: '7' },
      userAndStock: { user: '7', stock: true },
      kind: { types: new Set(['inventory']) },
      type: { types: new Set(['order.placed']) },
      both: { user: '7', product: 'p2' },
    };
    const clients = Object.entries(filters).map(
      ([key, filter]) => [key, new Client().listen(events, filter, now)] as const,
    );
    await world.publish(
      journal,
      1,
      `[${orderEvent('f1', 1, { user_id: 7, items: [{ product_id: 'p1' }] })},${orderEvent('f2', 1, { user_id: 'ada', items: [{ product_id: 'p1' }, { product_id: 'p2' }] })},${stockEvent('p2', 1)},${orderEvent('f1', 2)}]`,
    );
    const everything = new Client().listen(events, {}, now);
    await everything.has(['order/f1/1', 'order/f2/1', 'product/p2/1', 'order/f1/2']);
    assert.equal(Object.fromEntries(clients.map(([key, { told }]) => [key, told])), {
      order: ['order/f1/1', 'order/f1/2'],
      product: ['order/f2/1', 'product/p2/1'],
      user: ['order/f1/1'],
      userAndStock: ['order/f1/1', 'product/p2/1'],
      kind: ['product/p2/1'],
      type: ['order/f1/1', 'order/f2/1', 'order/f1/2'],
      both: [],
    });
  });

  test('who comes again is told the rest, once: in the middle of a message, here and at a node that begins now', async () => {
    const journal = fresh();
    const other = fresh();
    const events = hub();
    const client = new Client();
    client.room = 2;
    client.listen(events, {}, await events.now());
    await world.publish(journal, 1, `[${orderEvent('r', 1)},${orderEvent('r', 2)},${orderEvent('r', 3)}]`);
    await world.publish(other, 1, `[${orderEvent('s', 1)}]`);
    await world.publish(journal, 2, `[${orderEvent('r', 4)}]`);
    await client.has(['order/r/1', 'order/r/2']);
    client.stop();
    const rest = ['order/r/3', 'order/s/1', 'order/r/4'];
    const here = new Client().listen(events, {}, client.place);
    await here.has(rest);
    const second = hub();
    const there = new Client().listen(second, {}, client.place);
    await there.has(rest);
    await world.publish(journal, 3, `[${orderEvent('r', 5)}]`);
    await there.has([...rest, 'order/r/5']);
    await here.has([...rest, 'order/r/5']);
  });

  test('a place moves on while nothing matches', async () => {
    const journal = fresh();
    const events = hub();
    const now = await events.now();
    const client = new Client().listen(events, { order: 'nobody' }, now);
    await world.publish(journal, 1, `[${orderEvent('q', 1)}]`);
    await until(() => client.rested !== undefined && client.rested !== now, TOLD_MS, 5);
    const place = client.rested ?? '';
    await world.publish(journal, 2, `[${orderEvent('q', 2)}]`);
    await new Client().listen(hub(), {}, place).has(['order/q/2']);
  });

  test('a slow listener goes on where it stopped, and is ended when the ring has gone on without it', async () => {
    const journal = fresh();
    const events = hub(3_000);
    const client = new Client();
    client.room = 1;
    client.listen(events, {}, await events.now());
    for (let turn = 1; turn <= 3; turn++) await world.publish(journal, turn, `[${orderEvent('w', turn)}]`);
    const witness = new Client().listen(events, {}, await events.now());
    await client.has(ids('w', 1, 1));
    await until(() => events.listeners === 2, TOLD_MS, 5);
    client.goOn(2);
    await client.has(ids('w', 1, 3));
    for (let turn = 4; turn <= 12; turn++) await world.publish(journal, turn, `[${orderEvent('w', turn)}]`);
    await until(() => client.ends.length > 0, TOLD_MS, 5);
    assert.equal([client.ends, client.told.length, client.told.at(-1)], [['too_slow'], 3, 'order/w/3']);
    await until(() => witness.told.at(-1) === 'order/w/12', TOLD_MS, 5);
    await new Client().listen(events, {}, client.place).has(ids('w', 4, 12)); // From EVENTS, beyond the ring.
  });

  test('what retention has removed is told as a gap, and then what is left', async () => {
    const journal = fresh();
    const events = hub();
    const place = await events.now();
    for (let turn = 1; turn <= 3; turn++) await world.publish(journal, turn, `[${orderEvent('g', turn)}]`);
    await world.expire();
    await world.publish(journal, 4, `[${orderEvent('g', 4)}]`);
    const client = new Client().listen(hub(), {}, place);
    await client.has(['order/g/4']);
    assert.ok(client.gaps.length > 0, 'no gap was told');
    assert.match(client.gaps[0] ?? '', /EVENTS has (removed|lost) messages/);
  });

  test('a node that stops ends all, also those that are told the past', async () => {
    const events = hub();
    const client = new Client().listen(events, {}, await events.now());
    const past = new Client().listen(hub(), {}, await events.now());
    events.stop();
    hubs.at(-1)?.stop();
    assert.equal([client.ends, past.ends], [['interrupted'], ['interrupted']]);
  });

  test.run();
}
