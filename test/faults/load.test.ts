// The load scripts of deploy/load, in short, through a stand-in of k6: their thresholds hold on a real node, and fail where
// they must.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs } from '../deadlines.js';
import { arrivals, runK6, type Verdict } from '../deployed/k6.js';
import { RealSystem } from './rig/real-system.js';

const ADMIN_KEY = 'b7'.padEnd(40, '4c1e9');
const test = suite('load scripts');
const built = await RealSystem.build({ AUTH: 'keys', ADMIN_KEY });

test('arrivals follow the rate, constant and ramping', () => {
  const vus = { timeUnit: '1s', preAllocatedVUs: 1, maxVUs: 1 } as const;
  const constant = arrivals({ ...vus, executor: 'constant-arrival-rate', rate: 50, duration: '2s' });
  assert.is(constant.length, 100);
  assert.is(constant.filter((start) => start < 1_000).length, 50);
  const stages = [
    { target: 100, duration: '2s' },
    { target: 100, duration: '1s' },
  ];
  const ramping = arrivals({ ...vus, executor: 'ramping-arrival-rate', startRate: 0, stages });
  assert.ok(Math.abs(ramping.length - 200) <= 2, `${ramping.length}`);
  assert.ok(Math.abs(ramping.filter((start) => start < 1_000).length - 25) <= 1);
  assert.throws(() => arrivals({ ...vus, executor: 'shared-iterations' }), /not known/);
});

if ('skipped' in built) console.log(`SKIP load scripts: ${built.skipped}`);
else {
  const system = built;
  const env = (more: object) => ({ BASE_URL: system.url, API_KEY: ADMIN_KEY, ...more });
  const failed = (verdicts: readonly Verdict[]) =>
    verdicts.filter(({ holds }) => !holds).map(({ metric, threshold, value }) => `${metric} ${threshold}: ${value}`);

  test.before(async () => {
    await system.start();
  });
  test.after(() => system.demolish());

  test('order_test: orders at a rate are confirmed in time, and none is dropped', async () => {
    const limit = patientMs(100);
    const verdicts = await runK6(
      'deploy/load/order_test.js',
      env({ RATE: '60', DURATION: '3s', LIMIT_MS: `${limit}` }),
    );
    assert.equal(failed(verdicts), []);
    assert.equal(
      verdicts.map(({ metric, threshold }) => `${metric} ${threshold}`),
      [
        `http_req_duration{name:order} p(95)<${limit}`,
        'http_req_failed{name:order} rate==0',
        'checks rate==1',
        'dropped_iterations count==0',
      ],
    );
    console.log(`  p95 of 60/s: ${verdicts[0]?.value.toFixed(1)} ms`);
  });

  test('oversell_test: exactly the stock is sold, and the others are told', async () => {
    const verdicts = await runK6(
      'deploy/load/oversell_test.js',
      env({ STOCK: '100', RATE: '80', RAMP: '2s', DURATION: '2s' }),
    );
    assert.equal(failed(verdicts), []);
  });

  test('a stock that is not sold out fails the script', async () => {
    const run = runK6('deploy/load/oversell_test.js', env({ STOCK: '1000', RATE: '20', RAMP: '1s', DURATION: '1s' }));
    const error = await run.then(
      () => undefined,
      (failure: Error) => failure.message,
    );
    assert.match(error ?? '', /^SALE-\d+: 9\d\d of 1000 left, 0 held$/);
  });

  test('orders that are refused fail the script', async () => {
    const wrong = { ...env({ RATE: '10', DURATION: '1s' }), PRODUCTS: '1' };
    const verdicts = await runK6('deploy/load/order_test.js', { ...wrong, LIMIT_MS: '0' });
    assert.match(failed(verdicts).join(), /^http_req_duration\{name:order\} p\(95\)<0: \d/);
    const refused = runK6('deploy/load/order_test.js', { ...wrong, API_KEY: 'no-such-key' });
    await refused.then(
      () => assert.unreachable('the products were taken'),
      (failure: Error) => assert.match(failure.message, /the products were not taken: 401/),
    );
  });
}

test.run();
