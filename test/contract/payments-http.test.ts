// The payment provider over HTTP: the contract, and each effect once with a provider that is late, wrong or silent.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withTrace } from '../../actors/correlation.js';
import { orderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { PaymentRequest } from '../../actors/ports/payments.js';
import type { Logger } from '../../actors/ports/runtime.js';
import type { PaymentOutcome } from '../../actors/protocol.js';
import { Cashier } from '../../bus/payments/cashier.js';
import { httpPayments } from '../../bus/payments/http-provider.js';
import { instantPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { patientMs, until } from '../deadlines.js';
import { anOrderThatIs, ask, paymentsContract, SUCCESS_RATE } from './payments.suite.js';
import { MOODS, type Mood, type Provider, startProvider } from './rig/payment-provider.js';

const KEY = 'sk-not-to-be-told';
const TIMEOUT_MS = patientMs(250);
const ORDERS = 12;
const ENDED_MS = 120_000;

const decide = (order: string) => instantPayments(SUCCESS_RATE)(orderId(order));
const test = suite('payments over HTTP');
const providers: Provider[] = [];
test.after(async () => {
  for (const provider of providers) await provider.stop();
});

async function rig(mood: () => Mood) {
  const provider = await startProvider({ decide, mood, key: KEY });
  providers.push(provider);
  return { provider, payments: httpPayments({ url: provider.url, key: KEY, timeoutMs: TIMEOUT_MS }) };
}

const whyNot = (promise: Promise<PaymentOutcome>): Promise<string> =>
  promise.then(
    (outcome) => `answered ${outcome}`,
    (error: unknown) => String(error),
  );

test('the request is sent word for word as documented', async () => {
  const { provider, payments } = await rig(() => 'good');
  const order = anOrderThatIs('authorized');
  await payments.perform(ask(order, 'authorize', { minor: 1_999 }));
  const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const correlation = withTrace('c', trace);
  await payments.perform({ ...ask(order, 'capture', { minor: 7, currency: 'KWD' }), correlation });
  const [first, second] = provider.asked;
  assert.equal(
    [first, second].map((asked) => asked?.headers.traceparent),
    [undefined, trace],
  );
  assert.is(first?.path, 'authorizations');
  const reference = `${order}:authorize`;
  assert.is(first?.body, `{"order_id":"${order}","amount":19.99,"currency":"EUR","reference":"${reference}"}`);
  assert.is(first?.headers['idempotency-key'], reference);
  assert.is(first?.headers.authorization, `Bearer ${KEY}`);
  assert.match(second?.body ?? '', '"amount":0.007,"currency":"KWD"');
});

test('a reply that is not an answer is an error without the key, and never an outcome', async () => {
  let today: Mood = 'good';
  const { provider, payments } = await rig(() => today);
  const order = anOrderThatIs('authorized');
  const none = MOODS.filter((mood) => !['good', 'late', 'twice'].includes(mood));
  for (today of none) {
    const why = await whyNot(payments.perform(ask(order, 'authorize')));
    assert.match(why, /^Error: the payment provider/, today);
    if (today === 'endless') assert.match(why, `more than ${limits.paymentAnswerBytes} bytes`);
    assert.not.match(why, KEY);
  }
  today = 'good';
  assert.is(await payments.perform(ask(order, 'authorize')), 'authorized');
  assert.is(provider.effects.length, 1, 'all of them were the same one');
  const away = httpPayments({ url: 'http://127.0.0.1:1/', key: KEY, timeoutMs: TIMEOUT_MS });
  assert.match(await whyNot(away.perform(ask(order, 'capture'))), 'could not be asked');
});

test('each effect happens once, with every kind of faulty provider', async () => {
  let turn = 0;
  // Every second reply is good; the others go through all kinds of fault.
  const { provider, payments } = await rig(
    () => (turn++ % 2 === 0 ? MOODS[(turn >> 1) % MOODS.length] : 'good') ?? 'good',
  );
  const answers = new Map<string, PaymentOutcome[]>();
  const steps = (order: ReturnType<typeof anOrderThatIs>): PaymentRequest[] => [
    ask(order, 'authorize'),
    ask(order, 'capture'),
    ask(order, 'refund', { ref: `${order}/1`, minor: 4_000 }),
    ask(order, 'refund', { ref: `${order}/2`, minor: 6_000 }),
    ask(order, 'refund', { ref: `${order}/3`, minor: 1 }),
    ask(order, 'void'),
  ];
  const left = new Map<string, PaymentRequest[]>();
  const lines: string[] = [];
  const note = (fields: object, line: string) => void lines.push(`${line} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const next = (order: string) => {
    const request = left.get(order)?.[0];
    if (request !== undefined) cashier.perform({ kind: 'pay', ...request });
  };
  const cashier = new Cashier(
    payments,
    systemClock(),
    logger,
    ({ order, ref }) => left.get(order)?.[0]?.ref === ref,
    ({ order, ref }, outcome) => {
      if (left.get(order)?.[0]?.ref !== ref) return;
      answers.set(order, [...(answers.get(order) ?? []), outcome]);
      left.get(order)?.shift();
      next(order);
    },
  );
  for (let i = 0; i < ORDERS; i++) {
    const order = anOrderThatIs('authorized');
    left.set(order, steps(order));
    next(order);
  }
  const isOver = () => [...left.values()].every(({ length }) => length === 0);
  const ended = await until(isOver, ENDED_MS);
  cashier.stop();
  assert.ok(ended, `${[...left.values()].flat().length} steps are left`);
  for (const [order, told] of answers) {
    assert.equal(told, ['authorized', 'captured', 'refunded', 'refunded', 'declined', 'captured'], order);
  }
  const expected = [...left.keys()].flatMap((order) =>
    ['authorizations', 'captures', 'refunds', 'refunds'].map((path, i) => {
      return `${path} ${order} ${i < 2 ? '100.00' : i === 2 ? '40.00' : '60.00'} EUR`;
    }),
  );
  assert.equal([...provider.effects].sort(), expected.sort());
  assert.ok(provider.asked.length > expected.length * 1.5, `${provider.asked.length} requests`);
  assert.ok(lines.length > 0 && !lines.join().includes(KEY));
});

test('never more requests at once than the limit; a waiting retry takes no slot', async () => {
  let open = 0;
  let most = 0;
  const { payments } = await rig(() => 'good');
  const counted = {
    async perform(request: PaymentRequest) {
      most = Math.max(most, ++open);
      return payments.perform(request).finally(() => open--);
    },
  };
  let answered = 0;
  const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
  const cashier = new Cashier(
    counted,
    systemClock(),
    silent,
    () => true,
    () => answered++,
  );
  const count = limits.paymentsAtOnce + 100;
  for (let i = 0; i < count; i++) cashier.perform({ kind: 'pay', ...ask(anOrderThatIs('authorized'), 'authorize') });
  const ended = await until(() => answered === count, ENDED_MS);
  cashier.stop();
  assert.equal([ended, answered, most], [true, count, limits.paymentsAtOnce]);
});

test.run();

const { url, stop } = await startProvider({ decide, mood: () => 'good' });
paymentsContract('HTTP', httpPayments({ url, key: undefined, timeoutMs: 10_000 }), stop);
