// What the overview tells: what was placed between two moments, and what is known of EVENTS, feeds and verify.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clock } from '../../../actors/ports/runtime.js';
import { AnswerTimes } from '../../../http/node/answer-times.js';
import type { OverviewSource } from '../../../http/node/overview.js';
import { until } from '../../deadlines.js';
import { startFixture } from '../edge/edge-fixture.js';
import { realClock } from '../edge/fake-owners.js';

const test = suite('the overview');
const EVERY_MS = 2_000;

interface Shown {
  readonly at: string;
  readonly confirmed: number;
  readonly failed: number;
  readonly answered: number;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly events: number | null;
}

/** An edge whose samples are made when `tick` says so. */
async function rig() {
  let due: (() => void) | undefined;
  let now = Date.UTC(2026, 10, 21);
  const clock: Clock = {
    ...realClock,
    now: () => now,
    after(delayMs, run) {
      if (delayMs !== EVERY_MS) return realClock.after(delayMs, run);
      due = run;
      return () => {
        if (due === run) due = undefined;
      };
    },
  };
  const seen = {
    outcomes: { confirmed: 5, failed: 1, cancelled: 0 },
    sequence: 100 as number | undefined,
    verdict: undefined as Awaited<ReturnType<OverviewSource['verdict']>>,
  };
  const overview: OverviewSource = {
    ...{ name: 'shop-one', version: 'test' },
    outcomes: () => seen.outcomes,
    events: {
      lastSequence: async () => seen.sequence ?? Promise.reject(new Error('the broker is away')),
      feeds: () => [{ name: 'webhooks', state: 'running', lag: { messages: 7, ms: 20 }, retentionUsed: 0 }],
    },
    verdict: async () => seen.verdict,
  };
  const f = await startFixture({ clock, overview });
  const get = async (query = '') => f.get(`/internal/overview${query}`);
  const samples = async (query = '') => (await get(query)).at('data.samples') as readonly Shown[];
  let last = '2026-11-21';
  return {
    ...{ f, seen, get, samples },
    isDue: () => due !== undefined,
    back: (ms: number) => {
      now -= ms;
    },
    async tick() {
      now += EVERY_MS;
      due?.();
      const made: Shown[] = [];
      const isMade = async () => made.push(...(await samples(`?after=${last}`))) > 0;
      assert.ok(await until(isMade, 5_000, 1), 'a sample is made');
      last = made[0]?.at ?? '';
    },
  };
}

test('a sample has what was placed in its interval, and how far EVENTS moved; the next has what came since', async () => {
  const { f, seen, get, samples, tick, back, isDue } = await rig();
  try {
    assert.equal(await samples(), []);
    f.owners.stockUp('PROD-001', 100);
    for (let n = 0; n < 3; n++) await f.post('/api/orders', { user_id: 'ada', product_id: 'PROD-001', quantity: 1 });
    await f.get('/api/orders');
    seen.outcomes = { confirmed: 7, failed: 2, cancelled: 0 };
    await tick();
    const [first] = await samples();
    assert.equal([first?.confirmed, first?.failed, first?.answered], [2, 1, 3]);
    assert.ok(Number(first?.p50_ms) > 0 && Number(first?.p50_ms) <= Number(first?.p99_ms));
    assert.is(first?.events, null, 'one sequence says nothing of what moved');
    assert.is(first?.at, '2026-11-21T00:00:02.000Z');

    seen.sequence = 142;
    await tick();
    const [, second] = await samples();
    assert.equal([second?.confirmed, second?.answered, second?.p50_ms, second?.events], [0, 0, null, 42]);
    assert.equal(await samples(`?after=${first?.at}`), [second]);
    assert.equal(await samples(`?after=${second?.at}`), []);

    seen.sequence = undefined;
    await tick();
    assert.is((await samples()).at(-1)?.events, null);
    assert.is((await get()).at('data.events.last_sequence'), null);
    seen.sequence = 3; // EVENTS was made anew.
    await tick();
    assert.is((await samples()).at(-1)?.events, null);

    back(60_000);
    await tick();
    const times = (await samples()).map(({ at }) => at);
    assert.equal(times, [...new Set(times)].sort(), 'times rise, whatever the clock does');
  } finally {
    await f.stop();
  }
  assert.not.ok(isDue(), 'the timer ends with the edge');
});

test('it keeps ten minutes', async () => {
  const { f, samples, tick } = await rig();
  try {
    for (let n = 0; n < 305; n++) await tick();
    const all = await samples();
    assert.equal([all.length, all[0]?.at], [300, '2026-11-21T00:00:12.000Z']);
  } finally {
    await f.stop();
  }
});

test('feeds, the verdict and the node are shown; a time that is none is refused by name', async () => {
  const { f, seen, get } = await rig();
  try {
    const before = await get();
    assert.is(before.at('data.verify'), null);
    assert.equal(before.at('data.events'), {
      last_sequence: null,
      feeds: [{ name: 'webhooks', behind: 7, state: 'running' }],
    });
    const started_at = '2026-11-21T00:00:00.000Z';
    assert.equal(before.at('data.node'), { name: 'shop-one', version: 'test', started_at });
    seen.verdict = { clean: false, at: Date.UTC(2026, 10, 20), violations: 2, of: 'last dump' };
    const verify = { clean: false, at: '2026-11-20T00:00:00.000Z', violations: 2, of: 'last dump' };
    assert.equal((await get()).at('data.verify'), verify);
    const refused = await get('?after=yesterday');
    assert.equal([refused.status, refused.at('errors.0.field')], [400, 'after']);
    assert.is((await f.get(`${f.inventoryBase}/internal/overview`)).status, 200);
  } finally {
    await f.stop();
  }
});

test('percentiles are of the answers themselves; of very many, of the latest', () => {
  const times = new AnswerTimes();
  for (let ms = 100; ms >= 1; ms--) times.add(ms / 10);
  const { answered, percentile } = times.take();
  assert.equal([answered, percentile(0.5), percentile(0.95), percentile(0.99)], [100, 5, 9.5, 9.9]);
  assert.equal([times.take().answered, times.take().percentile(0.5)], [0, undefined]);
  for (let n = 0; n < 10_000; n++) times.add(n < 5_000 ? 1 : 2);
  const many = times.take();
  assert.equal([many.answered, many.percentile(0.01), many.percentile(1)], [10_000, 2, 2]);
});

test.run();
