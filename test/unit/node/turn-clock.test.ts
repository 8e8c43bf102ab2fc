/** Times of actors never go back with the machine's clock, and a clock that was ahead is caught up. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId } from '../../../actors/ids.js';
import { TurnClock } from '../../../actors/node/turn-clock.js';
import { A, oneLine, receiveOf } from '../actors/samples.js';
import { ownedWorld, Rig } from './node-rig.js';

const test = suite('turn clock');
const K = orderId('K');
const NOON = 1_700_000_000_000;
const DAY = 86_400_000;

test('the machine clock itself, while it does not go back', () => {
  const clock = new TurnClock();
  assert.equal(
    [clock.next(NOON, 0, 0), clock.next(NOON, 1, 0), clock.next(NOON + DAY, 2, 0)],
    [NOON, NOON, NOON + DAY],
  );
  assert.is(clock.news(NOON + DAY), undefined);
});

test('set back: one millisecond after the last time, then at half speed until the clock has caught up', () => {
  const clock = new TurnClock();
  clock.next(NOON, 0, 0);
  const seconds = Array.from({ length: 63 }, (_, s) => clock.next(NOON - 30_000 + s * 1_000, s * 1_000, 0) - NOON);
  assert.equal([seconds[0], seconds[1], seconds[10], seconds[59]], [1, 501, 5_001, 29_501]);
  assert.equal([seconds[60], seconds[61]], [30_000, 31_000], 'the clock again');
  assert.is(new TurnClock().next(NOON, 0, NOON + 30_000), NOON + 30_001);
});

test('set back without any turns: the clock itself, once it is past the last time', () => {
  const clock = new TurnClock();
  clock.next(NOON, 0, 0);
  clock.next(NOON - 30_000, 0, 0);
  assert.is(clock.next(NOON + 2, 30_002, 0), NOON + 2);
});

test('set back again while it is behind: the times go on, no faster', () => {
  const clock = new TurnClock();
  clock.next(NOON, 0, 0);
  clock.next(NOON - 1_000, 0, 0);
  assert.is(clock.next(NOON - 9_000, 100, 0), NOON + 51);
});

test('a swinging clock does not drive the times away from it', () => {
  const clock = new TurnClock();
  let at = clock.next(NOON, 0, 0);
  for (let ms = 0; ms < 20_000; ms += 10) at = clock.next(NOON + ms + (ms % 20 === 0 ? 5_000 : 0), ms, 0);
  assert.ok(at <= NOON + 25_000, `${at - NOON}`);
});

test('a turn is never before loaded data, however late it is found', () => {
  const clock = new TurnClock();
  clock.next(NOON, 0, 0);
  assert.equal([clock.next(NOON + 1, 1, NOON + 70), clock.next(NOON + 2, 2, NOON + 70)], [NOON + 71, NOON + 71]);
});

test('a day ahead and back: the times go on slowly, with one log line at the start and one at the end', () => {
  const clock = new TurnClock();
  clock.next(NOON + DAY, 0, 0);
  const told: (number | undefined)[] = [];
  let last = NOON + DAY;
  for (let ms = 0; ms <= 2 * DAY + 2; ms += DAY / 4) {
    const at = clock.next(NOON + ms, ms, 0);
    assert.ok(at > last || ms > 2 * DAY, `${ms}`);
    last = at;
    told.push(clock.news(NOON + ms));
  }
  assert.is(clock.next(NOON + 2 * DAY + 2, 2 * DAY + 2, 0), NOON + 2 * DAY + 2);
  told.push(clock.news(NOON + 2 * DAY + 2));
  assert.equal(
    told.filter((ms) => ms !== undefined),
    [DAY + 1, 0],
  );
});

test('30 seconds back between two turns: no time of an order or a product goes back', () => {
  const rig = new Rig().receive(100, A);
  rig.place(K, oneLine(A, 1));
  rig.turn();
  const placedAt = rig.lastRecord.at;
  rig.wallMs -= 30_000;
  rig.act(K, { type: 'ship' });
  rig.stock(A, receiveOf({ quantity: 1 }), { fresh: false });
  rig.found(rig.last('lookUp').number).turn();
  const { state } = rig.world.orders.get(K) ?? {};
  assert.equal([state?.createdAt, state?.updatedAt], [placedAt, placedAt + 1]);
  assert.is(state?.life.fulfillments[0]?.shippedAt, placedAt + 1);
  assert.is(rig.world.products.get(A)?.state.updatedAt, placedAt + 1);
  assert.equal(
    rig.all('clockBehind').map(({ behindMs }) => behindMs),
    [30_001],
  );
});

test('a machine whose clock is behind continues from its loaded data, and from data found later', () => {
  const before = new Rig().receive(100, A);
  before.wallMs += 30_000;
  before.place(K, oneLine(A, 1));
  before.turn();
  const [stored, product] = [before.world.orders.get(K), before.world.products.get(A)];
  if (stored === undefined || product === undefined) throw new Error('nothing is in memory');
  const world = ownedWorld();
  world.loadProduct({ state: product.state, version: product.version, epoch: 1, n: 2 });
  const rig = new Rig({}, world);
  rig.place('L', oneLine(A, 1));
  rig.turn();
  assert.is(rig.lastRecord.at, NOON + 30_001, 'past the product');
  const later = { ...stored.state, updatedAt: NOON + 90_000 };
  rig.act(K, { type: 'cancel' });
  rig.found(rig.last('lookUp').number, { orders: [{ state: later, version: later.version, epoch: 1, n: 2 }] }).turn();
  assert.is(rig.world.orders.get(K)?.state.updatedAt, NOON + 90_001, 'past the order');
});

test.run();
