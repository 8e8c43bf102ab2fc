/** `holdfast stop` waits as long as the node itself may take, including its STOP_DELAY_MS, and signals no bystander. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { stop } from '../../../deploy/commands/stop.js';
import { patientMs } from '../../deadlines.js';

const test = suite<{ dataDir: string; node: ChildProcess }>('holdfast stop');

/** The node exits this long after SIGTERM. */
const LINGERS_MS = 1_000;
const DATA_DIR_MODULE = new URL('../../../deploy/servers/data-dir.js', import.meta.url).href;
const NODE = `
  const { openDataDir } = await import(${JSON.stringify(DATA_DIR_MODULE)});
  const folder = await openDataDir(process.argv[1], { stopDelayMs: Number(process.argv[2]) });
  process.on('SIGTERM', () => setTimeout(() => folder.release().then(() => process.exit(0)), ${LINGERS_MS}));
  setInterval(() => {}, 1_000);
  process.stdout.write('up');
`;

test.before.each(async (context) => {
  context.dataDir = await mkdtemp(join(tmpdir(), 'holdfast-stop-'));
});
test.after.each(async ({ dataDir, node }) => {
  node.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
});

/** A node with this STOP_DELAY_MS. The process that stops it may have another. */
async function startNode(context: { readonly dataDir: string; node: ChildProcess }, stopDelayMs: number) {
  const arguments_ = ['--input-type=module', '-e', NODE, context.dataDir, String(stopDelayMs)];
  context.node = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(context.node.stdout);
  await once(context.node.stdout, 'data');
}

test('a node that takes longer is named and left running', async (context) => {
  await startNode(context, LINGERS_MS / 10);
  assert.is(await stop(context, 10), 1);
  assert.is(context.node.exitCode, null);
});

test('the STOP_DELAY_MS of the node is added to the time that a stop takes', async (context) => {
  await startNode(context, patientMs(5 * LINGERS_MS));
  assert.is(await stop(context, 10), 0);
});

for (const [what, rest] of [
  ['that started at another time than the holder says', ' some-boot%2F1 0'],
  ['whose start time the holder, an older version, does not tell', ''],
] as const) {
  test(`stop does not signal a process ${what}`, async (context) => {
    const bystander = spawn('/bin/sleep', ['600']);
    context.node = bystander;
    const lock = join(context.dataDir, 'lock');
    await mkdir(lock);
    const holder = createServer((socket) => socket.end(`held ${bystander.pid}${rest}\n`)).listen(join(lock, 'abcdef'));
    try {
      assert.is(await stop(context, 100), 1);
      assert.equal([bystander.exitCode, bystander.signalCode], [null, null]);
    } finally {
      holder.close();
    }
  });
}

test.run();
