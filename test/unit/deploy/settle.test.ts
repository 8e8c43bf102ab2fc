/** The settlement of a system: a contradiction is refused, with ways out that destroy nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Log } from '../../../actors/ports/log.js';
import type { Settlement } from '../../../actors/ports/settlement.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { settle } from '../../../deploy/settle.js';

const test = suite('settle');
const CHECKOUT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');
const wanted = { partitions: 16, journal: 'auto', seed: 'none' } as const;

function database() {
  let stands: Settlement | undefined;
  return {
    settled: async () => stands,
    settle: async (first: Settlement) => {
      stands ??= first;
      return stands;
    },
  };
}

const start = (on: ReturnType<typeof database>, broker: Log, id: string, hasHistory = false) =>
  settle(
    wanted,
    () => id,
    () => 'jetstream',
    on,
    broker,
    async () => hasHistory,
  );

const refusal = (started: Promise<Settlement>): Promise<string> =>
  started.then(
    ({ id }) => `not refused: ${id}`,
    (error: Error) => error.message,
  );

test('the broker of one system with an empty database: refused, and its journal is left alone', async () => {
  const broker = memoryLog();
  await start(database(), broker, 'A');
  const said = await refusal(start(database(), broker, 'B'));
  assert.match(said, /belongs to system A, but the database remembers no system: DATABASE_URL points at another/);
  assert.match(said, /restore it from a backup.*journal may be the only copy.*nothing of it is touched/);
});

test('an empty broker with a known database: refused; two systems: refused; the same two: accepted', async () => {
  const [one, other] = [database(), database()];
  const broker = memoryLog();
  await start(one, broker, 'A');
  assert.match(await refusal(start(one, memoryLog(), 'B', true)), /NATS_URL points at another broker than before/);
  await start(other, memoryLog(), 'C');
  assert.match(await refusal(start(other, broker, 'D')), /the database to system C: DATABASE_URL or NATS_URL/);
  assert.is((await start(one, broker, 'E', true)).id, 'A');
});

test('no message tells a person to destroy a stream or a journal', () => {
  const destroy =
    /\b(clear|delete|purge|remove|wipe|empty|drop)\b[^.;:"'`]{0,60}\b(streams?|journals?|JOURNAL|EVENTS|broker)\b/i;
  const texts = ['deploy', 'bus', 'storage', 'http'].flatMap((room) =>
    readdirSync(join(CHECKOUT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(room, name)),
  );
  assert.ok(texts.length > 100);
  for (const name of [...texts, 'README.md', 'API.md']) {
    // The program's own statements are in code and comments; its messages are between quotes.
    const text = readFileSync(join(CHECKOUT, name), 'utf8');
    const said = name.endsWith('.md') ? [text] : (text.match(/'[^'\n]*'|`[^`]*`/g) ?? []);
    for (const line of said) if (!/^['`]delete from/.test(line)) assert.not.match(line, destroy, `${name}: ${line}`);
  }
});

test.run();
