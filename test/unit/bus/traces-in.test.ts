/** Which traces a record and a message of EVENTS name, and which spans several nodes agree on. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { traceOf, withoutTrace, withTrace } from '../../../actors/correlation.js';
import { journalId, orderId, productId, userId } from '../../../actors/ids.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import { encodeTurn, eventJson, type JournaledEvent, packCascade, packEvent } from '../../../actors/node/record.js';
import type { OrderEvent } from '../../../actors/protocol.js';
import { childOf, idIn, traceIdOf, tracesInEvents, tracesInRecord, turnSpan } from '../../../bus/tracing/traces-in.js';

const test = suite('traces in texts');

const trace = (of: number, span: number) => `00-${String(of).padStart(32, 'a')}-${String(span).padStart(16, 'b')}-01`;
const ONE = trace(1, 1);
const SAME = trace(1, 2);
const OTHER = trace(2, 1);

const placed = (notes?: string): OrderEvent => ({
  type: 'placed',
  content: {
    ...{ user: userId('u'), userIsNumber: false, lines: [{ product: productId('P'), quantity: 1 }] },
    ...(notes !== undefined && { notes }),
  },
  correlation: 'c',
});
const cascade = (correlation: string, order: string, event: OrderEvent = placed()) => ({
  correlation,
  events: [{ of: { kind: 'order', id: orderId(order) }, version: 1, event }] as JournaledEvent[],
});

function recordOf(...cascades: readonly ReturnType<typeof cascade>[]): string {
  const head = { id: 'r', journal: journalId('J'), n: 7, at: 0, parts: {}, letters: [] };
  const packed = cascades.map(({ correlation, events }) =>
    packCascade(
      correlation,
      events.map(({ of, version, event }) => packEvent(of.kind, of.id, version, eventJson(event))),
    ),
  );
  return encodeTurn(head as unknown as Parameters<typeof encodeTurn>[0], packed);
}

test('a correlation gives back its name and its trace, and a name alone stays as it is', () => {
  for (const name of ['c', '41A7QGTSC2-g', '"\\!~', '0'.repeat(255)]) {
    const both = withTrace(name, ONE);
    assert.equal([withoutTrace(both), traceOf(both)], [name, ONE]);
    assert.equal([withoutTrace(name), traceOf(name)], [name, undefined]);
  }
});

test('a record names each of its traces once, with the first order and the other causes', () => {
  const record = recordOf(
    cascade('plain', 'ORD-0'),
    cascade(withTrace('"a\\', ONE), 'ORD-1'),
    cascade(withTrace('b', OTHER), 'ORD-2'),
    cascade(withTrace('a', SAME), 'ORD-3'),
  );
  assert.equal(tracesInRecord(record), [
    { trace: ONE, others: [SAME], order: 'ORD-1' },
    { trace: OTHER, others: [], order: 'ORD-2' },
  ]);
  assert.equal(tracesInRecord(recordOf(cascade('plain', 'ORD-0'))), []);
});

test('what a client writes is no trace, whatever it looks like', () => {
  for (const notes of [`x ${ONE}`, `["x ${ONE}`, `"],["x ${ONE}",["o"`, `"traceparent":"${ONE}"`]) {
    const sent = cascade('plain', 'ORD-1', placed(notes));
    assert.equal(tracesInRecord(recordOf(sent)), [], notes);
    const batch = eventBatch({ at: 0, cascades: [sent] }, { uri: '/s', isPersonal: true });
    assert.ok(batch.includes(ONE.slice(3, 35)));
    assert.equal(tracesInEvents(batch), [], notes);
  }
});

test('one that is not sampled, or is none, is not told', () => {
  for (const odd of [ONE.replace(/01$/, '00'), `01${ONE.slice(2)}`, ONE.toUpperCase()]) {
    assert.equal(tracesInRecord(recordOf(cascade(withTrace('c', odd), 'ORD-1'))), [], odd);
  }
});

test('an event has the trace as an attribute, a function of the record; without a trace its bytes are what they were', () => {
  const source = '/holdfast/1';
  const batch = (correlation: string) => eventBatch({ at: 0, cascades: [cascade(correlation, 'ORD-1')] }, source);
  const [traced] = JSON.parse(batch(withTrace('c', ONE)));
  const [plain] = JSON.parse(batch('c'));
  assert.equal([traced.correlationid, traced.traceparent], ['c', ONE]);
  assert.equal({ ...plain, traceparent: ONE }, traced);
  assert.not.ok('traceparent' in plain);
  assert.is(batch(withTrace('c', ONE)).replace(`,"traceparent":"${ONE}"`, ''), batch('c'));
  assert.equal(tracesInEvents(`${batch(withTrace('c', ONE))}${batch(withTrace('d', OTHER))}`), [ONE, OTHER]);
});

test("a turn's span is the same for whoever names it, and differs by trace, journal and turn", () => {
  const journals = [journalId('J1'), journalId('J2')];
  const all = [ONE, OTHER].flatMap((of) => journals.flatMap((journal) => [1, 2].map((n) => turnSpan(of, journal, n))));
  assert.is(new Set(all.map(idIn)).size, all.length);
  assert.is(turnSpan(ONE, 'J1', 1), turnSpan(SAME, 'J1', 1));
  assert.is(traceIdOf(turnSpan(ONE, 'J1', 1)), traceIdOf(ONE));
  assert.is(childOf(ONE, 'c'.repeat(16)), `${ONE.slice(0, 36)}${'c'.repeat(16)}-01`);
});

test.run();
