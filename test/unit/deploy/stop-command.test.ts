/** `holdfast stop` waits as long as the node itself may take, including STOP_DELAY_MS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
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
  const folder = await openDataDir(process.argv[1]);
  process.on('SIGTERM', () => setTimeout(() => folder.release().then(() => process.exit(0)), ${LINGERS_MS}));
  setInterval(() => {}, 1_000);
  process.stdout.write('up');
`;

test.before.each(async (context) => {
  context.dataDir = await mkdtemp(join(tmpdir(), 'holdfast-stop-'));
  const arguments_ = ['--input-type=module', '-e', NODE, context.dataDir];
  context.node = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(context.node.stdout);
  await once(context.node.stdout, 'data');
});
test.after.each(async ({ dataDir, node }) => {
  node.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
});

test('a node that takes longer is named and left running', async ({ dataDir, node }) => {
  assert.is(await stop({ dataDir, stopDelayMs: LINGERS_MS / 10 }, 10), 1);
  assert.is(node.exitCode, null);
});

test('STOP_DELAY_MS is added to the time that a stop takes', async ({ dataDir }) => {
  assert.is(await stop({ dataDir, stopDelayMs: patientMs(5 * LINGERS_MS) }, 10), 0);
});

test.run();
