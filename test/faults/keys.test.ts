// AUTH=keys on the real process. Production does not start without it. The command line makes the first key, beside
// the running system and after a stop. A revocation works within its time. No output contains a key.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type RunResult, run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import { RealSystem } from './rig/real-system.js';

const CLI = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'deploy', 'cli.js');
const ADMIN_KEY = '9e107d9d372bb6826bd81d3542a419d6';
const REVOKED_WITHIN_MS = 5_000;

const test = suite('keys on the real process');
const built = await RealSystem.build({
  AUTH: 'keys',
  ENVIRONMENT: 'production',
  ADMIN_KEY,
  SEED: 'demo',
  LOG_LEVEL: 'trace',
});
if ('skipped' in built) console.log(`SKIP keys on the real process: ${built.skipped}`);
else scenarios(built);

function scenarios(system: RealSystem): void {
  const keys = (...words: string[]): Promise<RunResult> =>
    run(process.execPath, [CLI, 'keys', ...words], { deadlineMs: patientMs(30_000), env: { ...system.env } });
  const status = async (path: string, key?: string, body?: object): Promise<number> => {
    const reply = await fetch(system.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    await reply.arrayBuffer();
    return reply.status;
  };
  const keyIn = ({ output }: RunResult): string => /^hf_\S+$/m.exec(output)?.[0] ?? '';
  const idOf = (key: string): string => key.split('_')[1] ?? '';
  const order = { user_id: 'ada', product_id: 'PROD-001', quantity: 1 };
  const secrets = [ADMIN_KEY];

  test.after(() => system.demolish());

  test('production does not start without authentication, or with a well-known password', async () => {
    for (const [changes, name] of [
      [{ AUTH: 'off' }, 'AUTH'],
      [{ DATABASE_URL: 'postgres://holdfast:holdfast@127.0.0.1:9/holdfast' }, 'DATABASE_URL'],
      [{ ADMIN_KEY: 'changeme'.repeat(4) }, 'ADMIN_KEY'],
    ] as const) {
      system.output = '';
      system.open(changes);
      assert.is((await system.over()).code, 78);
      assert.match(system.output, new RegExp(`"mistakes":\\["${name} is `));
      assert.not.match(system.output, /holdfast:holdfast@|changemechangeme/);
    }
  });

  test('new keys work at once beside the running system, and are refused within 5 s of their revocation', async () => {
    await system.start();
    assert.is(await status('/api/orders', undefined, order), 401);
    assert.is(await status('/metrics', ADMIN_KEY), 200);
    const made = await keys('create', '--name', 'shop', '--scopes', 'orders:read,orders:write', '--expires', '1d');
    assert.is(made.code, 0, made.output);
    const key = keyIn(made);
    secrets.push(key);
    assert.is(await status('/api/orders', key, order), 201);
    assert.is(await status('/api/orders', key), 200);
    assert.is(await status('/metrics', key), 403);
    assert.is((await keys('revoke', idOf(key))).code, 0);
    const since = performance.now();
    while ((await status('/api/orders', key)) !== 401)
      assert.ok(performance.now() - since < patientMs(REVOKED_WITHIN_MS + 1_000));
    assert.is(await status('/api/orders', key, order), 401);
  });

  test('a malformed command changes nothing, and an unknown id exits with 1', async () => {
    const bad = await keys('create', '--name', 'x');
    assert.is(bad.code, 2);
    assert.match(bad.output, /--scopes must be some of/);
    assert.is((await keys('revoke', 'nobody')).code, 1);
  });

  test('after a stop, the same command starts our own Postgres for its run', async () => {
    await system.end('SIGTERM');
    const made = await keys('create', '--name', 'later', '--scopes', 'orders:read');
    assert.is(made.code, 0, made.output);
    secrets.push(keyIn(made));
    const listed = await keys('list');
    assert.match(listed.output, new RegExp(`${idOf(keyIn(made))} +valid +never +orders:read +later`));
    assert.match(listed.output, /revoked .* shop/);
    assert.equal(system.left(), []);
    await system.start();
    assert.is(await status('/api/orders', keyIn(made)), 200);
  });

  test('no key is in the output or in the data folder', async () => {
    await system.end('SIGTERM');
    const logs = join(system.dataDir, 'logs');
    const written = [system.output, ...readdirSync(logs).map((file) => readFileSync(join(logs, file), 'utf8'))].join(
      '\n',
    );
    assert.match(written, /AUTH=keys/);
    assert.ok(written.length > 1_000 && secrets.length === 3);
    for (const secret of secrets) assert.not.ok(written.includes(secret.slice(-32)));
  });

  test.run();
}
