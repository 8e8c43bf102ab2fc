// A command that is called off: killed at once, or after it had time to end by itself.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';

const test = suite('run');
const AT = { deadlineMs: patientMs(20_000), cwd: '/' };

test('a command with time to end by itself does so after it is called off', async () => {
  const signal = AbortSignal.timeout(50);
  const ended = await run('/bin/sh', ['-c', 'sleep 0.4; echo cleaned'], {
    ...AT,
    signal,
    endsWithinMs: patientMs(10_000),
  });
  assert.equal(ended, { code: 0, output: 'cleaned' });
});

test('a command that does not end in that time is killed; one without such time at once', async () => {
  for (const time of [{ endsWithinMs: 50 }, {}]) {
    const since = performance.now();
    const ended = await run('/bin/sleep', ['30'], { ...AT, signal: AbortSignal.timeout(50), ...time });
    assert.is(ended.code, undefined);
    assert.match(ended.output, /called off/);
    assert.ok(performance.now() - since < patientMs(5_000));
  }
});

test.run();
