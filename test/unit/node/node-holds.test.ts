/** How long a hold lasts, its extension, holds that are sent late, and the heap of deadlines. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId } from '../../../actors/ids.js';
import type { NodeSettings } from '../../../actors/node/node.js';
import { decodeRecord } from '../../../actors/node/record.js';
import { type Timer, Timers } from '../../../actors/node/timers.js';
import { A, B, contentOf, oneLine } from '../actors/samples.js';
import { ownedWorld, Rig } from './node-rig.js';

const test = suite('node holds');
const K = orderId('K');
const stateOf = (rig: Rig) => rig.world.orders.get(K)?.state;
const phase = (rig: Rig) => stateOf(rig)?.phase;
/** Time that passes in counted steps. */
const pass = (rig: Rig, ms: number) => {
  for (let left = ms; left > 0; left -= 100) rig.pass(Math.min(100, left));
  return rig.turn();
};
/** An order of three of A that waits for its payment. */
const charging = (over: Partial<NodeSettings> = {}) => {
  const rig = new Rig({ context: {}, ...over }).receive(10, A);
  rig.place(K, oneLine(A, 3));
  return rig.turn();
};
/** A node that starts from the journals of these nodes. */
const replayed = (over: Partial<NodeSettings>, ...rigs: Rig[]) => {
  const world = ownedWorld();
  for (const { record } of rigs.flatMap((rig) => rig.all('append'))) {
    const turn = decodeRecord(record, 'here');
    if (turn.kind !== 'turn') continue;
    for (const { correlation, events } of turn.cascades)
      for (const event of events) world.replay(event, { epoch: 1, n: turn.n }, turn.at, correlation);
  }
  return new Rig(over, world);
};

// ---------------------------------------------------------------- the heap

test('the heap equals a sorted list, for any operations', () => {
  const step = fc.record({ setIn: fc.array(fc.nat(300), { maxLength: 20 }), passes: fc.nat(200), most: fc.nat(8) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const timers = new Timers();
      let [list, ms, number]: [Timer[], number, number] = [[], 0, 0];
      timers.advance(0, true);
      for (const { setIn, passes, most } of steps) {
        for (const delayMs of setIn) {
          const order = orderId(`${++number}`);
          const timer = { order, what: 'timeOut', dueMs: timers.nowMs + delayMs } as const;
          timers.set(timer);
          list.push(timer);
        }
        ms += passes;
        timers.advance(ms, true);
        const due = timers.due(most);
        const up = list.map(({ dueMs }) => dueMs).filter((dueMs) => dueMs <= timers.nowMs);
        const soonest = up.sort((a, b) => a - b).slice(0, most);
        assert.equal(
          due.map(({ dueMs }) => dueMs),
          soonest,
        );
        list = list.filter((timer) => !due.includes(timer));
        assert.is(new Set(due).size, due.length, 'each once');
      }
    }),
  );
});

// ---------------------------------------------------------------- how long a hold lasts

test('a hold shorter than the order timeout: the order fails when the hold ends', () => {
  const rig = charging({ holdTtlMs: 300 });
  assert.is(phase(pass(rig, 200)), 'charging');
  assert.equal([phase(pass(rig, 100)), rig.stockOf(A)], ['failed', { onHand: 10, held: 0 }]);
  assert.is(stateOf(rig)?.reason, 'timed_out');
});

test('a hold counts from its last held line, the order from its placing', () => {
  const rig = new Rig({ context: { holdDelayMs: () => 500 }, holdTtlMs: 300 }).receive(10, A);
  rig.place(K, oneLine(A, 3));
  pass(rig.turn(), 500);
  assert.is(phase(rig), 'charging');
  assert.is(phase(pass(rig, 200)), 'charging');
  assert.is(phase(pass(rig, 100)), 'failed');
});

test('a hold longer than the order timeout: the order fails at its own timeout', () => {
  const rig = charging({ holdTtlMs: 5_000 });
  assert.is(phase(pass(rig, 900)), 'charging');
  assert.is(phase(pass(rig, 100)), 'failed');
});

test('an extended hold lasts for its full time again, past the order timeout', () => {
  const rig = charging({ holdTtlMs: 800 });
  pass(rig, 700);
  const request = rig.act(K, { type: 'extendHold' });
  rig.turn();
  assert.is(rig.replyTo(request), 'done');
  assert.is(phase(pass(rig, 700)), 'charging', 'at 1400: the order’s own time was up at 1000');
  assert.equal([phase(pass(rig, 100)), rig.stockOf(A)], ['failed', { onHand: 10, held: 0 }]);
});

test('extended twice: the later end counts; an extension never makes it shorter', () => {
  const rig = charging({ holdTtlMs: 300 });
  for (let i = 0; i < 2; i++) {
    pass(rig, 200);
    rig.act(K, { type: 'extendHold' });
    rig.turn();
  }
  assert.is(phase(pass(rig, 200)), 'charging', 'at 600');
  assert.is(phase(pass(rig, 100)), 'failed', 'at 700');
  const early = new Rig({ context: { holdDelayMs: () => 900 }, holdTtlMs: 300 }).receive(10, A);
  early.place(K, oneLine(A, 3));
  early.turn().act(K, { type: 'extendHold' });
  early.turn();
  assert.is(phase(pass(early, 900)), 'charging', 'the order’s own second stands');
});

test('an extension survives a restart: the hold gets its full time again, past the order timeout', () => {
  const rig = charging({ holdTtlMs: 2_000 });
  rig.act(K, { type: 'extendHold' });
  rig.turn();
  const after = replayed({ context: {}, holdTtlMs: 2_000 }, rig);
  assert.is(phase(pass(after, 1_900)), 'charging');
  assert.is(phase(pass(after, 100)), 'failed');
});

test('an extension that comes too late is refused', () => {
  const rig = pass(charging({ holdTtlMs: 300 }), 300);
  const request = rig.act(K, { type: 'extendHold' });
  assert.is(rig.turn().replyTo(request), 'illegal_transition');
});

test('an order paid in time is not timed out by any of its timers', () => {
  const rig = charging({ holdTtlMs: 300 });
  rig.act(K, { type: 'extendHold' });
  rig.turn().paymentAnswered(K, 'authorized').turn();
  rig.paymentAnswered(K, 'captured').turn();
  assert.is(phase(pass(rig, 3_000)), 'confirmed');
});

// ---------------------------------------------------------------- sent late

const LATE: Partial<NodeSettings> = {
  context: { instantPayment: () => 'authorized', holdDelayMs: (_, product) => (product === A ? 500 : 0) },
};
const late = (over: Partial<NodeSettings> = LATE) => {
  const rig = new Rig(over).receive(10, A, B);
  const request = rig.place(K, contentOf());
  return { rig: rig.turn(), request };
};

test('a late hold is sent when its time has come, the others at once; then the order goes on', () => {
  const { rig, request } = late();
  assert.equal(
    [rig.stockOf(A)?.held, rig.stockOf(B)?.held, rig.replyTo(request)],
    [0, 1, undefined],
    'the client hears that it is accepted, and waits',
  );
  assert.is(rig.all('accepted').length, 1);
  assert.is(phase(pass(rig, 400)), 'holding');
  assert.is(rig.replyTo(request), undefined);
  assert.equal([phase(pass(rig, 100)), rig.replyTo(request)], ['confirmed', 'confirmed']);
  assert.equal([rig.stockOf(A)?.onHand, rig.stockOf(B)?.onHand], [8, 9]);
});

test('only that order is late: orders behind it go on', () => {
  let holds = 0;
  const { rig, request } = late({
    context: { instantPayment: () => 'authorized', holdDelayMs: () => (++holds === 1 ? 500 : 0) },
  });
  const behind = rig.place('behind', contentOf());
  rig.turn();
  assert.equal([rig.replyTo(request), rig.replyTo(behind)], [undefined, 'confirmed']);
});

test('a late hold is in the journal: after a start it is sent once, even with the gremlin off', () => {
  const calm: Partial<NodeSettings> = { context: { instantPayment: () => 'authorized' } };
  const { rig } = late();
  const again = replayed(calm, rig);
  assert.equal([phase(again), stateOf(again)?.lateMs], ['holding', 500]);
  assert.is(again.stockOf(A)?.held, 0);
  assert.is(phase(pass(again, 500)), 'confirmed');
  const third = replayed(calm, rig, again);
  assert.not(third.node.wantsTurn());
});

test('cancelled or timed out before it is sent: the hold is never sent, and everything is released', () => {
  const cancelled = late().rig;
  cancelled.act(K, { type: 'cancel' });
  cancelled.turn();
  pass(cancelled, 600);
  const slow = late({ ...LATE, orderTimeoutMs: 300 }).rig;
  pass(slow, 600);
  assert.equal([phase(cancelled), phase(slow)], ['cancelled', 'failed']);
  for (const rig of [cancelled, slow]) {
    assert.equal(
      [rig.stockOf(A), rig.stockOf(B)],
      [
        { onHand: 10, held: 0 },
        { onHand: 10, held: 0 },
      ],
    );
    assert.not(rig.catchUp().has(K), 'nothing is expected any more');
  }
});

test('short of a line that is on time: the order fails at once, and the late hold is never sent', () => {
  const rig = new Rig(LATE).receive(10, A);
  const request = rig.place(K, contentOf());
  assert.is(rig.turn().replyTo(request), 'failed');
  pass(rig, 600);
  assert.equal(rig.stockOf(A), { onHand: 10, held: 0 });
});

// ---------------------------------------------------------------- over a start

test('a replay restores the time of the capture, and what the order waits for', () => {
  const ship: Partial<NodeSettings> = { context: { captureOn: 'ship' } };
  const rig = new Rig(ship).receive(10, A);
  rig.place(K, oneLine(A, 3));
  rig.turn().paymentAnswered(K, 'authorized').turn();
  const again = replayed({ context: {} }, rig);
  assert.equal(again.all('pay'), [], 'it is not shipped');
  assert.equal(stateOf(again), stateOf(rig));
  again.act(K, { type: 'ship' });
  assert.is(again.turn().last('pay').operation, 'capture');
});

test.run();
