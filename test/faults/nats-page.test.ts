// NATS.md, word for word: its commands against a fresh Holdfast with the real nats CLI, and its account against a real broker.
// REFRESH_TOUR=1 rewrites the outputs that have changed.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { feedStreamInfo } from '../../bus/feed-stream/feed-shape.js';
import { connectNats } from '../../bus/nats/nats.js';
import { freePort } from '../../deploy/servers/free-ports.js';
import { NATS_ACCOUNTS, passwordVariable } from '../../deploy/servers/nats-server.js';
import { securityFile } from '../../deploy/servers/security-files.js';
import { until } from '../deadlines.js';
import { natsBinary } from '../servers/real-servers.js';
import { brokerUrl } from './rig/addresses.js';
import { RealSystem } from './rig/real-system.js';
import { isTrue, rewritten, stepsOf, Terminal } from './rig/tour.js';

const CHECKOUT = new URL('../../../', import.meta.url);
const PAGE = new URL('NATS.md', CHECKOUT);
const FILLER = fileURLToPath(new URL('rig/feed-process.js', import.meta.url));
const STEP_MS = 60_000;
const LAG_MS = 15_000;
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('the page prints what the nats CLI prints', async () => {
  const system = await RealSystem.build({ SEED: 'demo' });
  if ('skipped' in system) return console.log(`SKIP ${system.skipped}`);
  const env = { ...system.env, npm_config_loglevel: 'silent' };
  const terminal = Terminal.open(fileURLToPath(CHECKOUT), env);
  let page = await readFile(PAGE, 'utf8');
  let filler: ReturnType<typeof spawn> | undefined;
  try {
    await system.start();
    const url = (await terminal.run('npx --no-install holdfast url nats', STEP_MS)).split('\n').at(-1) ?? '';
    if ((await terminal.run('command -v nats || true', STEP_MS)) === '') {
      await sameAsOverHttp(system);
      return console.log('SKIP there is no nats CLI on PATH: go install github.com/nats-io/natscli/nats@v0.5.0');
    }
    filler = spawn(process.execPath, [FILLER], {
      env: { ...process.env, NATS_URL: url, FEED: 'orders' },
      stdio: 'ignore',
    });
    for (const step of stepsOf(page)) {
      const script = step.script.replaceAll('http://127.0.0.1:3000', system.url);
      let printed = '';
      const mayRepeat = !/POST|-d |consumer/.test(script);
      const shows = async () => {
        printed = await terminal.run(script, STEP_MS);
        return isTrue(step.printed, printed) || !mayRepeat;
      };
      await until(shows, LAG_MS, 300);
      if (isTrue(step.printed, printed)) continue;
      if (process.env.REFRESH_TOUR !== undefined) page = rewritten(page, step, printed);
      else assert.is(printed, step.printed, step.script);
    }
    if (process.env.REFRESH_TOUR !== undefined) await writeFile(PAGE, page);
    await sameAsOverHttp(system);
  } finally {
    filler?.kill('SIGKILL');
    terminal.close();
    await system.demolish();
  }
});

/** Each read, found or not, has the API's own JSON. */
async function sameAsOverHttp(system: RealSystem): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ user_id: 'bo', product_id: 'PROD-002', quantity: 1 });
  const placed = await fetch(`${system.url}/api/orders`, { method: 'POST', headers, body });
  const { data } = (await placed.json()) as { data: { id: string } };
  const { id } = data;
  const nats = await connectNats(await brokerUrl(system, 'reader'), { name: 'page test', log });
  try {
    for (const [subject, asked, path] of [
      ['orders.get', id, `orders/${id}`],
      ['orders.get', 'none', 'orders/none'],
      ['orders.get', 'x'.repeat(300), `orders/${'x'.repeat(300)}`],
      ['orders.history', id, `orders/${id}/history`],
      ['inventory.get', 'PROD-002', 'inventory/PROD-002'],
      ['inventory.ledger', 'PROD-001?limit=1', 'inventory/PROD-001/ledger?limit=1'],
      ['inventory.ledger', 'PROD-001?limit=0', 'inventory/PROD-001/ledger?limit=0'],
    ] as const) {
      const answer = await nats.request(`holdfast.${subject}`, asked);
      const reply = await fetch(`${system.url}/api/${path}`);
      assert.is(answer.string(), await reply.text(), `${subject} ${asked}`);
      const code = answer.headers?.get('Nats-Service-Error-Code') ?? '';
      assert.is(code === '' ? 200 : Number(code), reply.status, `${subject} ${asked}`);
    }
  } finally {
    await nats.close();
  }
}

test('the colleague of the page reads with its own consumer, and may do nothing else', async () => {
  const binary = await natsBinary();
  if ('missing' in binary) return console.log(`SKIP no nats-server: ${binary.missing}`);
  const account = /```conf\n([^`]*)```/.exec(await readFile(PAGE, 'utf8'))?.[1] ?? '';
  const accounts = await securityFile('nats-accounts.conf');
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-reader-'));
  const port = await freePort();
  const file = join(folder, 'nats.conf');
  const users = accounts.replace('users: [', `users: [\n${account}`);
  await writeFile(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}" }\n${users}`);
  const passwords = Object.fromEntries(NATS_ACCOUNTS.map((name) => [passwordVariable(name), 'one-secret']));
  const env = { ...process.env, ...passwords, COLLEAGUE_PASSWORD: 'other-secret' };
  const broker = spawn(binary.command, ['--config', file], { env, stdio: 'ignore' });
  const servers = `127.0.0.1:${port}`;
  const reached = (user: string) =>
    connectNats(`nats://${user}:one-secret@${servers}`, { name: 'page test', log }).catch(() => undefined);
  let node = await reached('holdfast');
  try {
    await until(async () => {
      node ??= await reached('holdfast');
      return node !== undefined;
    }, LAG_MS);
    const operator = await reached('holdfast_operator');
    if (node === undefined || operator === undefined) return assert.unreachable('the broker starts with this account');
    await feedStreamInfo(node, { replicas: 1, bytes: undefined, ageMs: undefined });
    await node.publish('feed.order.placed', '{}', 'any');
    const config = { durable_name: 'colleague', ack_policy: 'explicit', filter_subject: 'feed.order.>' };
    await operator.api('CONSUMER.DURABLE.CREATE.FEED.colleague', { stream_name: 'FEED', config });
    await operator.close();
    const access = { user: 'colleague', pass: 'other-secret', inboxPrefix: '_INBOX.colleague' };
    const nc = await connect({ servers, ...access });
    try {
      const message = await (await jetstream(nc).consumers.get('FEED', 'colleague')).next({ expires: 5_000 });
      assert.is(message?.subject, 'feed.order.placed');
      message?.ack();
      const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 2_000 });
      const refused = async (what: Promise<unknown>) => assert.match(String(await what.catch((e) => e)), /permission/i);
      await refused(manager.streams.purge('FEED'));
      await refused(manager.consumers.add('FEED', { durable_name: 'another' }));
      await refused(manager.consumers.delete('FEED', 'colleague'));
      await refused(nc.request('feed.order.placed', '{}', { timeout: 1_000 }));
      await refused(nc.request('holdfast.orders.get', 'ORD-1', { timeout: 1_000 }));
      assert.is((await node.api<{ state: { messages: number } }>('STREAM.INFO.FEED')).state.messages, 1);
    } finally {
      await nc.close();
    }
  } finally {
    await node?.close();
    broker.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

test.run();
