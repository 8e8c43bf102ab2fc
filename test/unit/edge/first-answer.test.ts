/** The first answer to an act, rebuilt from the history: also of acts that an older version decided. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeRecord } from '../../../actors/node/record.js';
import { paymentStatusOf } from '../../../actors/order/transitions.js';
import type { HistoryRow } from '../../../actors/ports/snapshot-rows.js';
import type { OrderEvent } from '../../../actors/protocol.js';
import { asAnswered } from '../../../http/orders/first-answer.js';
import { act, actOf, cancelled, owed, PAID, refunded, shipped } from '../actors/order-story.js';
import { O1 } from '../actors/samples.js';

const test = suite('the first answer to an act');

const TWO = { events: 2 };

/** The events of one turn each. */
const historyOf = (...turns: readonly (readonly OrderEvent[])[]): HistoryRow[] =>
  turns
    .flatMap((events, i) => events.map((event, of) => ({ order: O1, at: 1_000, correlation: `c${i}`, event, of })))
    .map(({ of, ...row }, i) => ({ ...row, version: i + 1, turn: i + 1 - of }));

const answered = (history: readonly HistoryRow[], ref = act.ref) =>
  asAnswered({ flushed: async () => {} }, { history: async () => history }, history[0]?.order ?? O1, ref);

test('of an older version: the order after all that was decided in the turn of the act', async () => {
  const turn = [cancelled('confirmed'), owed(1, 1500), refunded(1)];
  const state = await answered(historyOf(PAID, turn));
  assert.equal([state?.version, state && paymentStatusOf(state)], [7, 'refunded']);
});

test('of an older version: neither a later turn nor the next act belongs to it', async () => {
  const later = await answered(historyOf(PAID, [cancelled('confirmed'), owed(1, 1500)], [refunded(1)]));
  assert.equal([later?.version, later && paymentStatusOf(later)], [6, 'paid']);
  const next = await answered(historyOf(PAID, [shipped(1, undefined, act), shipped(2, undefined, actOf('NEXT'))]));
  assert.is(next?.version, 5);
});

test('of this version: as many events as the act names', async () => {
  const turn = [cancelled('confirmed', false, { ...act, ...TWO }), owed(1, 1500), refunded(1)];
  assert.is((await answered(historyOf(PAID, turn)))?.version, 6);
});

test('of a stored journal: a received return shows the refund that was decided with it', async () => {
  const { journals } = JSON.parse(readFileSync('test/unit/golden/life-v1.json', 'utf8')) as {
    journals: Record<string, string[]>;
  };
  const history: HistoryRow[] = [];
  for (const text of Object.values(journals).flat()) {
    const record = decodeRecord(text, 'golden');
    if (record.kind !== 'turn') continue;
    for (const { correlation, events } of record.cascades) {
      let turn: number | undefined;
      for (const { of, version, event } of events) {
        if (of.kind !== 'order' || of.id !== 'ORD-WHOLE') continue;
        turn ??= version;
        history.push({ order: of.id, version, turn, at: record.at, correlation, event: event as OrderEvent });
      }
    }
  }
  const own = history.find(({ event }) => event.type === 'return_received');
  assert.ok(own !== undefined && 'act' in own.event && own.event.act !== undefined);
  const state = await answered(history, own.event.act.ref);
  assert.equal([state?.version, state?.life.refunds.length], [own.version + 1, 1]);
});

test.run();
