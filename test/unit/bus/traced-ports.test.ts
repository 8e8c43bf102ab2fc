/** Wrapped ports: what they tell, and that they answer as before. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { traceOf, withTrace } from '../../../actors/correlation.js';
import { orderId, productId } from '../../../actors/ids.js';
import type { Confirmation, NumberedLetter } from '../../../actors/ports/letters.js';
import type { Log } from '../../../actors/ports/log.js';
import type { PaymentRequest } from '../../../actors/ports/payments.js';
import type { Span, Tracing } from '../../../actors/ports/tracing.js';
import type { TopicRecord, Topics } from '../../../bus/kafka/topics.js';
import { LetterSpans } from '../../../bus/tracing/letter-spans.js';
import { tracedAsks, tracedPoster, tracedTopics, underTracing } from '../../../bus/tracing/traced-ports.js';
import { traceIdOf, turnSpan } from '../../../bus/tracing/traces-in.js';

const test = suite('traced ports');

const TRACE = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const TRACED = withTrace('c', TRACE);

function told(): { readonly spans: Span[]; readonly tracing: Tracing; readonly time: { monotonic(): number } } {
  const spans: Span[] = [];
  let nowMs = 0;
  return {
    spans,
    tracing: { request: () => undefined, tell: (span) => void spans.push(span) },
    time: { monotonic: () => ++nowMs },
  };
}

type Ports = Parameters<typeof underTracing>[0];
const record = (correlation: string) =>
  `{"v":1,"kind":"turn","id":"r","journal":"J","n":4,"cascades":[["${correlation}",["o","ORD-1",1,{}]]]}`;

test('each attempt to append is a span of its turn, and one that fails says why', async () => {
  const { spans, tracing, time } = told();
  const answers = [{ kind: 'conflict' } as const, new Error('no answer'), { kind: 'appended', position: 9 } as const];
  const log = {
    append: async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as unknown as Log;
  const ports = underTracing(
    { log, snapshots: {}, payments: {}, events: undefined } as unknown as Ports,
    tracing,
    time,
  );
  assert.equal(await ports.log.append('l', 0, record(TRACED)), { kind: 'conflict' });
  await ports.log.append('l', 0, record(TRACED)).then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'no answer'),
  );
  assert.equal(await ports.log.append('l', 0, record(TRACED)), { kind: 'appended', position: 9 });
  assert.equal(
    spans.map(({ name, parent, failure }) => [name, parent, failure]),
    ['conflict', 'no answer', undefined].map((failure) => ['append', turnSpan(TRACE, 'J', 4), failure]),
  );
  assert.ok(spans.every(({ fromMs, toMs }) => fromMs < toMs));
});

test('what names no trace passes untouched: the very promise of the port', () => {
  const { spans, tracing, time } = told();
  const answer = Promise.resolve({ kind: 'appended', position: 1 } as const);
  const log = { append: () => answer } as unknown as Log;
  const ports = underTracing(
    { log, snapshots: {}, payments: {}, events: undefined } as unknown as Ports,
    tracing,
    time,
  );
  assert.is(ports.log.append('l', 0, record('c')), answer);
  assert.equal(spans, []);
});

test("the provider, another node's owner and a receiver continue the span of the call", async () => {
  const { spans, tracing, time } = told();
  const seen: string[] = [];
  const payments = {
    perform: async ({ correlation = '' }: PaymentRequest) => {
      seen.push(traceOf(correlation) ?? '');
      return 'authorized' as const;
    },
  };
  const ports = underTracing(
    { log: {}, snapshots: {}, payments, events: undefined } as unknown as Ports,
    tracing,
    time,
  );
  const owed = { operation: 'authorize', order: orderId('ORD-1'), ref: 'r', minor: 1, currency: 'USD' } as const;
  await ports.payments.perform({ ...owed, correlation: TRACED });
  const asks = tracedAsks(
    {
      ask: async ({ body }) => {
        seen.push(typeof body === 'string' ? body : (traceOf(body.correlation) ?? ''));
        return { state: undefined };
      },
    },
    tracing,
    time,
  );
  const command = { type: 'cancel', act: { ref: 'r', fingerprint: 'f' } } as never;
  await asks.ask({ kind: 'act', body: { order: orderId('ORD-1'), command, correlation: TRACED } }, 3, 100, false);
  await asks.ask({ kind: 'order', body: orderId('ORD-1') }, 3, 100, false);
  assert.equal(
    spans.map(({ name, parent, id }) => [name, parent, `00-${traceIdOf(TRACE)}-${id}-01`]),
    [
      ['pay authorize', TRACE, seen[0]],
      ['ask act', TRACE, seen[1]],
    ],
  );
  assert.is(seen[2], 'ORD-1');
});

test('a delivery and a record of Kafka carry the trace of their event', async () => {
  const { spans, tracing, time } = told();
  let headers: Readonly<Record<string, string>> = {};
  const poster = tracedPoster(
    {
      post: async (_, given) => {
        headers = given;
        return { status: 204, retryAfterMs: undefined };
      },
    },
    tracing,
    time,
  );
  const never = new AbortController().signal;
  await poster.post('http://r', { 'webhook-id': 'order/1/1' }, `{"traceparent":"${TRACE}","data":{}}`, never);
  assert.is(headers.traceparent, TRACE);
  await poster.post('http://r', {}, '{"data":{}}', never);
  assert.not.ok('traceparent' in headers);

  const written: (readonly TopicRecord[])[] = [];
  const topics = {
    open: async () => ({
      write: async (records: readonly TopicRecord[]) => void written.push(records),
      close: async () => {},
    }),
  } as unknown as Topics;
  const writer = await tracedTopics(topics, tracing, time).open('w');
  const plain = { topic: 'orders', key: 'ORD-1', value: '{}', headers: [], timestampMs: 0 };
  const traced = { ...plain, headers: [['traceparent', TRACE] as const] };
  await writer.write([plain, traced]);
  assert.equal(written, [[plain, traced]]);
  assert.equal(
    spans.map(({ name, parent }) => [name, parent]),
    [
      ['deliver webhook', TRACE],
      ['send orders', TRACE],
    ],
  );
});

const letterTo = (number: number, correlation: string): NumberedLetter => ({
  ...{ from: 1, to: 2, number, correlation },
  letter: {
    to: { kind: 'product', id: productId('P') },
    command: { type: 'hold' },
  } as unknown as NumberedLetter['letter'],
});

test('a letter leaves under one span however often it is sent, which ends with its confirmation', () => {
  const { spans, tracing, time } = told();
  const left: NumberedLetter[] = [];
  const confirmed: Confirmation[] = [];
  const letters = new LetterSpans(tracing, time);
  const post = letters.sending({ send: (sent) => void left.push(...sent), confirm() {} });
  const receiver = letters.receiving({ letters() {}, confirmed: (each) => void confirmed.push(each) });
  post.send([letterTo(1, TRACED), letterTo(2, 'c')]);
  post.send([letterTo(1, TRACED), letterTo(3, TRACED)]);
  assert.is(left[0]?.correlation, left[2]?.correlation);
  assert.is(left[1]?.correlation, 'c');
  assert.not.equal(left[0]?.correlation, left[3]?.correlation);
  receiver.confirmed({ from: 1, to: 2, upTo: 2 });
  receiver.confirmed({ from: 1, to: 2, upTo: 2 });
  assert.equal(confirmed.length, 2);
  assert.equal(
    spans.map(({ name, parent, id }) => [name, parent, withTrace('c', `00-${traceIdOf(TRACE)}-${id}-01`)]),
    [['letter hold', TRACE, left[0]?.correlation]],
  );
  receiver.confirmed({ from: 1, to: 2, upTo: 3 });
  assert.is(spans.length, 2);
});

test('letters that are never confirmed give room to later ones: the oldest go untold', () => {
  const { spans, tracing, time } = told();
  const letters = new LetterSpans(tracing, time);
  const post = letters.sending({ send: (_: readonly NumberedLetter[]) => {}, confirm() {} });
  const receiver = letters.receiving({ letters() {}, confirmed() {} });
  for (let number = 1; number <= 5_002; number++) post.send([letterTo(number, TRACED)]);
  receiver.confirmed({ from: 1, to: 2, upTo: 5_002 });
  assert.equal(
    spans.map(({ about }) => about?.['holdfast.letter']),
    Array.from({ length: 5_000 }, (_, i) => i + 3),
  );
});

test('a trace that is not sampled goes on unchanged, and nothing is told of it', async () => {
  const { spans, tracing, time } = told();
  const unsampled = TRACE.replace(/01$/, '00');
  const correlation = withTrace('c', unsampled);
  const seen: unknown[] = [];
  const answer = Promise.resolve({ kind: 'appended', position: 1 } as const);
  const ports = underTracing(
    {
      ...{ log: { append: () => answer }, snapshots: {}, events: undefined },
      payments: { perform: async ({ correlation: given }: PaymentRequest) => seen.push(given) },
    } as unknown as Ports,
    tracing,
    time,
  );
  assert.is(ports.log.append('l', 0, record(correlation)), answer);
  const owed = { operation: 'authorize', order: orderId('ORD-1'), ref: 'r', minor: 1, currency: 'USD' } as const;
  await ports.payments.perform({ ...owed, correlation });
  const letters = new LetterSpans(tracing, time);
  letters.sending({ send: (sent) => seen.push(sent[0]?.correlation), confirm() {} }).send([letterTo(1, correlation)]);
  const post = async (_: string, headers: Readonly<Record<string, string>>) => {
    seen.push(headers.traceparent);
    return { status: 204, retryAfterMs: undefined };
  };
  const never = new AbortController().signal;
  await tracedPoster({ post }, tracing, time).post('http://r', {}, `{"traceparent":"${unsampled}","data":{}}`, never);
  assert.equal(seen, [correlation, correlation, unsampled]);
  assert.equal(spans, []);
});

test.run();
