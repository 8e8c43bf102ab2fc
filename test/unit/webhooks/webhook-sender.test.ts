/** A sweep that fails, or has much to do, stops no delivery. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { WebhookQueue } from '../../../actors/ports/webhooks.js';
import { systemClock } from '../../../bus/system-clock.js';
import { WebhookSender } from '../../../bus/webhooks/webhook-sender.js';
import { memoryWebhooks } from '../../../storage/memory/memory-webhooks.js';
import { until } from '../../deadlines.js';

const test = suite('webhook sender');
const WITHIN_MS = 5_000;

/** Sends one delivery, with this sweep. @returns the log, once the delivery has arrived */
async function sentWith(sweep: WebhookQueue['sweep'], isDone = () => true): Promise<string[]> {
  const { webhooks, queue } = memoryWebhooks(Date.now);
  const types = ['*'];
  await webhooks.create({ id: 'w', url: 'https://example.test/', types, description: '', secret: 'whsec_c2VjcmV0' });
  await queue.take(0, [{ webhook: 'w', event: 'e', type: 't', actor: 'order/1', body: '{}' }], undefined);
  const logged: string[] = [];
  const log = (fields: object, line: string) => void logged.push(`${line} ${JSON.stringify(fields)}`);
  let posts = 0;
  const sender = new WebhookSender({
    queue: { ...queue, sweep },
    poster: {
      post: async () => {
        posts++;
        return { status: 204, retryAfterMs: undefined };
      },
    },
    agent: 'test',
    clock: systemClock(),
    logger: { debug: log, info: log, warn: log, error: log },
    meter: { taken() {}, attempted() {}, disabled() {}, gap() {}, waiting() {} },
  });
  const stop = new AbortController();
  const ran = sender.run(stop.signal);
  const isSent = await until(() => posts === 1 && isDone(), WITHIN_MS);
  stop.abort();
  await ran;
  assert.ok(isSent, `${posts} posts`);
  return logged;
}

test('a sweep that fails is named, and waits for its next time', async () => {
  let sweeps = 0;
  const logged = await sentWith(async () => {
    sweeps++;
    throw new Error('statement timeout');
  });
  assert.is(sweeps, 1);
  assert.is(logged.length, 1);
  assert.match(logged[0] ?? '', /sweep.*statement timeout/);
});

test('a sweep with more to do goes on in later steps', async () => {
  let sweeps = 0;
  const sweep = async () => ({ forgotten: 1_000, more: ++sweeps < 3 });
  assert.equal(await sentWith(sweep, () => sweeps === 3), []);
  assert.is(sweeps, 3);
});

test.run();
