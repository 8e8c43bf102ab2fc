// The README's curl tour, word for word: each `sh` block with curl is run against a fresh Holdfast, and its
// output must be the `json` block below it. Times and drawn ids differ from run to run; nothing else may.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { House } from './house.js';

const README = new URL('../../../README.md', import.meta.url);
const STEP = /```sh\n((?:curl[^`]*?))```\n```json\n([^`]*?)```/g;
const run = promisify(execFile);

const stable = (text: string) =>
  text
    .trim()
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
    .replace(/"correlation_id":"[^"]*"/g, '"correlation_id":"<drawn>"');

test('the tour of the README is what a user sees', async () => {
  const steps = [...(await readFile(README, 'utf8')).matchAll(STEP)];
  assert.ok(steps.length >= 8, `the README has ${steps.length} steps`);
  const house = await House.build({ SEED: 'demo' });
  if ('skipped' in house) return console.log(`SKIP ${house.skipped}`);
  try {
    await house.start();
    for (const [, command = '', expected = ''] of steps) {
      const local = command.replaceAll('http://127.0.0.1:3000', house.url).replace(/\\\n\s*/g, ' ');
      const script = local
        .trim()
        .split('\n')
        .map((line) => `${line}; echo`)
        .join('\n');
      const { stdout } = await run('bash', ['-c', script], { timeout: 20_000 });
      if (process.env.SHOW_TOUR !== undefined) console.log(command, stdout);
      assert.is(stable(stdout), stable(expected), command);
    }
  } finally {
    await house.demolish();
  }
});

test.run();
