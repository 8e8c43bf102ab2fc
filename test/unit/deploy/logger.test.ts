/** The log: fields for machines, sentences for people. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, createReadStream, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  createAccessLog,
  createLogger,
  failedStart,
  lineForPeople,
  withoutMessage,
} from '../../../deploy/telemetry/logger.js';
import { patientMs, until } from '../../deadlines.js';

const test = suite('log');

function logged(): { readonly out: PassThrough; readonly lines: () => string[] } {
  const out = new PassThrough();
  return {
    out,
    lines: () =>
      String(out.read() ?? '')
        .trim()
        .split('\n'),
  };
}

test('levels are words; a line for people has the sentence first and a stack below', () => {
  const { out, lines } = logged();
  const logger = createLogger({ logLevel: 'debug', serviceName: 's', nodeName: 'n' }, out);
  logger.debug({ ms: 1.25 }, 'request');
  logger.info({}, 'runs');
  logger.warn({ cause: 'late' }, 'slow');
  logger.error({ err: new TypeError('x is no function') }, 'broken code');
  const all = lines();
  assert.equal(
    all.map((line) => (JSON.parse(line) as { level: string }).level),
    ['debug', 'info', 'warn', 'error'],
  );
  const [debug, info, warn, error] = all.map(lineForPeople);
  assert.match(debug ?? '', /^\d\d:\d\d:\d\d\.\d{3} debug request ms=1\.25\n$/);
  assert.match(info ?? '', / info {2}runs\n$/);
  assert.match(warn ?? '', / warn {2}slow cause=late\n$/);
  assert.match(error ?? '', / error broken code\n {4}TypeError: x is no function\n {4} +at /);
});

test('a line that has the message of an error names its cause once, and keeps its type and stack', () => {
  const { out, lines } = logged();
  const logger = createLogger({ logLevel: 'debug', serviceName: 's', nodeName: 'n' }, out);
  const error = new TypeError('The disk\nis full.', { cause: new Error('no room') });
  logger.error({ err: withoutMessage(error) }, error.message);
  const [line = ''] = lines();
  assert.is(line.split('is full').length, 2, line);
  const { err } = JSON.parse(line) as { err: { type: string; stack: string; cause: string } };
  assert.equal([err.type, err.cause], ['TypeError', 'Error: no room']);
  assert.match(err.stack, /^ +at /);
});

test('nobody waits for an access log that nobody reads: what is too much is dropped, and said', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-log-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR);
  const warned: object[] = [];
  try {
    const config = { logLevel: 'info', serviceName: 's', nodeName: 'n' } as const;
    const log = createAccessLog(config, { warn: (fields) => void warned.push(fields) }, fd);
    const filler = 'x'.repeat(1_000);
    for (let i = 0; i < 8_000; i++) log.info({ i, filler }, 'request');
    assert.ok(await until(() => warned.length > 0, 10_000));
    assert.ok((warned[0] as { dropped: number }).dropped > 1_000);
    // Then somebody reads: the oldest lines are whole, and those that come go on.
    let text = '';
    const reader = createReadStream(path, { encoding: 'utf8' }).on('data', (piece) => {
      text += piece;
    });
    assert.ok(await until(() => text.split('\n').length > 3_000, 10_000), `${text.length}`);
    log.info({ i: 'last' }, 'request');
    assert.ok(await until(() => text.includes('"i":"last"'), 10_000));
    assert.match(text.split('\n')[0] ?? '', /^\{"level":"info",.*"i":0,/);
    reader.destroy();
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
});

test('both logs together write whole lines, though the pipe is full', () => {
  const { href } = new URL('../../../deploy/telemetry/logger.js', import.meta.url);
  const script = `
    const { createLogger, createAccessLog } = await import(process.argv[1]);
    const config = { logLevel: 'info', serviceName: 's', nodeName: 'n', accessLog: true };
    const logger = createLogger(config);
    const accessLog = createAccessLog(config, logger);
    for (let i = 0; i < 300; i++) {
      for (let k = 0; k < 5; k++) accessLog.info({ i, k, filler: 'x'.repeat(1_500) }, 'request');
      logger.info({ i, filler: 'y'.repeat(20_000) }, 'main');
      await null;
      if (i % 10 === 0) await new Promise((done) => setImmediate(done));
    }`;
  const text = execFileSync(
    'sh',
    ['-c', '"$0" --input-type=module -e "$1" "$2" | cat', process.execPath, script, href],
    {
      ...{ encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: patientMs(30_000) },
    },
  );
  const lines = text.trim().split('\n');
  const main = lines.filter((line) => (JSON.parse(line) as { msg: string }).msg === 'main');
  assert.is(main.length, 300, 'and none of the main log is dropped');
});

test('a failed start says what is wrong, then each way out on its own line', () => {
  const said = failedStart('Cannot listen on 127.0.0.1:3000: another process listens there. Set PORT to what is free.');
  assert.equal(said.trim().split('\n'), [
    'Holdfast did not start.',
    '  Cannot listen on 127.0.0.1:3000: another process listens there.',
    '  Set PORT to what is free.',
  ]);
});

test.run();
