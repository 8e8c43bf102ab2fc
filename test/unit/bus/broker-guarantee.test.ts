/** The guarantee of a broker, the journal that follows from it, and the mock payment provider. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId } from '../../../actors/ids.js';
import type { PaymentOperation } from '../../../actors/protocol.js';
import { brokerGuarantee, chooseJournal, oldest } from '../../../bus/nats/broker-guarantee.js';
import { readUrl } from '../../../bus/nats/nats-url.js';
import { forgetfulPayments, instantPayments } from '../../../bus/payments/mock-provider.js';
import { systemClock } from '../../../bus/system-clock.js';

const test = suite('broker and payments');
const facts = (more: object) => ({ version: '2.15.1', syncAlways: undefined, replicas: 1, ours: false, ...more });

test('a broker that syncs is fit; an unknown one is not', () => {
  assert.is(brokerGuarantee(facts({ syncAlways: true })).journalFit, true);
  assert.is(brokerGuarantee(facts({ syncAlways: false })).journalFit, false);
  assert.is(brokerGuarantee(facts({})).journalFit, false);
  assert.match(brokerGuarantee(facts({})).guarantee, 'not a power cut');
});

test('three replicas survive the loss of a minority, but no common power cut', () => {
  const { journalFit, guarantee } = brokerGuarantee(facts({ replicas: 3 }));
  assert.ok(journalFit);
  assert.match(guarantee, 'loss of 1 of 3 boxes, not a common power cut');
});

test('auto picks a journal that holds, and says why', () => {
  assert.is(chooseJournal('auto', undefined).kind, 'postgres');
  assert.is(chooseJournal('auto', facts({})).kind, 'postgres');
  assert.is(chooseJournal('auto', facts({ syncAlways: true })).kind, 'jetstream');
  assert.is(chooseJournal('auto', facts({ replicas: 3 })).kind, 'jetstream');
  assert.is(chooseJournal('auto', facts({ replicas: 3, version: '2.10.19' })).kind, 'jetstream');
  assert.is(chooseJournal('auto', facts({ replicas: 3, version: '2.11.0-RC.1' })).kind, 'jetstream');
});

test('a requested journal is taken, or refused with a sentence', () => {
  assert.is(chooseJournal('postgres', facts({ syncAlways: true })).kind, 'postgres');
  assert.match(chooseJournal('jetstream', facts({})).guarantee, 'not a power cut');
  assert.throws(() => chooseJournal('jetstream', undefined), /NATS_URL/);
});

test('a broker below 2.10.19 is refused with replicas, whatever journal is asked for', () => {
  for (const asked of ['auto', 'jetstream', 'postgres'] as const) {
    for (const version of ['2.9.10', '2.10.18', 'unknown']) {
      assert.throws(() => chooseJournal(asked, facts({ replicas: 3, version })), /2\.10\.19/);
      assert.not.throws(() => chooseJournal(asked, facts({ version })));
    }
  }
});

test('of several brokers the oldest counts', () => {
  assert.is(oldest(['2.12.0', '2.10.18', '2.9.10', '2.10.19']), '2.9.10');
  assert.is(oldest(['2.10.9', '2.10.19']), '2.10.9');
  assert.is(oldest(['2.12.1', '2.12.1-RC.1']), '2.12.1');
});

test('a NATS URL is a list, with user, password, token and TLS', () => {
  assert.equal(readUrl('nats://u:p%40@a:1, b'), { servers: ['a:1', 'b:4222'], user: 'u', pass: 'p@' });
  assert.equal(readUrl('nats://secret@[::1]:4223'), { servers: ['[::1]:4223'], token: 'secret' });
  assert.equal(readUrl('tls://a'), { servers: ['a:4222'], tls: {} });
});

test('the provider answers by the order alone, at the configured rate', () => {
  const orders = Array.from({ length: 10_000 }, (_, i) => orderId(`ORD-${i}`));
  const share = (rate: number) => orders.filter((order) => instantPayments(rate)(order) === 'authorized').length;
  assert.is(share(1), 10_000);
  assert.is(share(0), 0);
  assert.ok(Math.abs(share(0.7) - 7_000) < 300, `${share(0.7)}`);
});

test('without latency the provider answers inside the turn, and stores nothing', async () => {
  const payments = forgetfulPayments(0);
  const ask = (operation: PaymentOperation) =>
    payments.perform({ operation, order: orderId('a'), ref: operation, minor: 1, currency: 'USD' });
  const answers = await Promise.all((['authorize', 'capture', 'void', 'refund'] as const).map(ask));
  assert.equal(answers, ['declined', 'captured', 'voided', 'refunded']);
});

test('ids differ and sort by time', async () => {
  const clock = systemClock();
  const ids = Array.from({ length: 2_000 }, () => clock.id());
  assert.is(new Set(ids).size, 2_000);
  await new Promise<void>((resolve) => clock.after(3, resolve));
  const later = clock.id();
  assert.ok(ids.every((id) => id < later && id.length === 26));
});

test.run();
