/** Every cell of the order's state chart: which command is heard in which phase, and where it leads. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OrderContext, OrderState, Phase } from '../../actors/order.js';
import { decideOrder } from '../../actors/order-chart.js';
import { evolveOrder } from '../../actors/order-events.js';
import type { OrderCommand, OrderEvent } from '../../actors/protocol.js';
import { A, contentOf, held, O1, oneLine, orderAfter, paymentAnswer, placed, short } from './samples.js';

const test = suite('order chart');

const LINE = oneLine(A, 2);
const HELD: OrderEvent = { type: 'held', answers: [held(A)], currency: 'USD', total: 1000 };
const failed = (voidOwed: boolean): OrderEvent => ({
  type: 'failed',
  reason: 'timed_out',
  answers: [],
  shortages: [],
  voidOwed,
});

const states: { readonly [P in Phase]: readonly OrderState[] } = {
  absent: [orderAfter([])],
  holding: [orderAfter([placed(LINE)])],
  charging: [orderAfter([placed(LINE), HELD])],
  confirmed: [
    orderAfter([placed(LINE), HELD, { type: 'paid', captured: false }, { type: 'confirmed' }]),
    orderAfter([placed(LINE), HELD, { type: 'paid', captured: true }, { type: 'confirmed' }]),
  ],
  failed: [orderAfter([placed(LINE), failed(false)]), orderAfter([placed(LINE), HELD, failed(true)])],
};

const commands = {
  place: { type: 'place', content: LINE, correlation: 'c' },
  'place another': { type: 'place', content: contentOf(), correlation: 'c' },
  held: { type: 'holdsAnswered', answers: [held(A)] },
  short: { type: 'holdsAnswered', answers: [short(A)] },
  authorized: paymentAnswer('authorized'),
  declined: paymentAnswer('declined'),
  captured: paymentAnswer('captured'),
  voided: paymentAnswer('voided'),
  timeOut: { type: 'timeOut' },
} as const satisfies Record<string, OrderCommand>;

/** Events, or a refusal, by phase; a cell for each state of that phase. `-`: heard, and nothing happens. */
const chart: { readonly [C in keyof typeof commands]: { readonly [P in Phase]: readonly string[] } } = {
  place: { absent: ['placed'], holding: ['-'], charging: ['-'], confirmed: ['-', '-'], failed: ['-', '-'] },
  'place another': {
    absent: ['placed'],
    holding: ['other_body'],
    charging: ['other_body'],
    confirmed: ['other_body', 'other_body'],
    failed: ['other_body', 'other_body'],
  },
  held: {
    absent: ['-'],
    holding: ['held'],
    charging: ['-'],
    confirmed: ['-', '-'],
    failed: ['answered', 'answered'],
  },
  short: {
    absent: ['-'],
    holding: ['failed'],
    charging: ['-'],
    confirmed: ['-', '-'],
    failed: ['answered', 'answered'],
  },
  authorized: {
    absent: ['-'],
    holding: ['-'],
    charging: ['paid confirmed'],
    confirmed: ['-', '-'],
    failed: ['-', '-'],
  },
  declined: { absent: ['-'], holding: ['-'], charging: ['failed'], confirmed: ['-', '-'], failed: ['-', '-'] },
  captured: { absent: ['-'], holding: ['-'], charging: ['-'], confirmed: ['captured', '-'], failed: ['-', '-'] },
  voided: { absent: ['-'], holding: ['-'], charging: ['-'], confirmed: ['-', '-'], failed: ['-', 'voided'] },
  timeOut: { absent: ['-'], holding: ['failed'], charging: ['failed'], confirmed: ['-', '-'], failed: ['-', '-'] },
};

/** Where each phase may lead: outcomes are never left for one another (O2). */
const ways: { readonly [P in Phase]: readonly Phase[] } = {
  absent: ['holding'],
  holding: ['holding', 'charging', 'confirmed', 'failed'],
  charging: ['confirmed', 'failed'],
  confirmed: ['confirmed'],
  failed: ['failed'],
};

const payments: readonly OrderContext['instantPayment'][] = [undefined, () => 'authorized', () => 'declined'];
const each = <T extends object>(record: T) => Object.keys(record) as (keyof T)[];

for (const name of each(commands)) {
  for (const phase of each(states)) {
    test(`${phase}: ${name} -> ${chart[name][phase].join(' | ')}`, () => {
      const cells = states[phase].map((state) => {
        const decided = decideOrder(state, commands[name], {});
        if ('refused' in decided) return decided.refused;
        return decided.events.map((event) => event.type).join(' ') || '-';
      });
      assert.equal(cells, chart[name][phase]);
    });
  }
}

test('no command leads where the chart has no arrow, and none asks for two outcomes', () => {
  for (const phase of each(states)) {
    for (const state of states[phase]) {
      for (const name of each(commands)) {
        for (const instantPayment of payments) {
          const decided = decideOrder(state, commands[name], { instantPayment });
          if ('refused' in decided || decided.events.length === 0) continue;
          const after = decided.events.reduce((s, event) => evolveOrder(s, event, 2_000), state);
          assert.ok(ways[phase].includes(after.phase), `${phase} --${name}--> ${after.phase}`);
        }
      }
    }
  }
});

test('a decision does not touch the state it is made from', () => {
  const state = orderAfter([placed(LINE)]);
  const before = structuredClone(state);
  decideOrder(state, commands.held, { instantPayment: () => 'authorized' });
  evolveOrder(state, HELD, 9);
  assert.equal(state, before);
});

test('time comes in with the event', () => {
  const state = evolveOrder(orderAfter([]), placed(LINE), 77);
  assert.equal([state.id, state.createdAt, state.updatedAt], [O1, 77, 77]);
  const later = evolveOrder(state, HELD, 99);
  assert.equal([later.createdAt, later.updatedAt], [77, 99]);
});

test.run();
