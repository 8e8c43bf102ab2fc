/** A look at the journal's end: what is told without an append is told by an owner. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import { encodeSeal, encodeTurn, journalLog } from '../../../actors/node/record.js';
import type { Log } from '../../../actors/ports/log.js';
import type { Unavailable } from '../../../actors/unavailable.js';
import { JournalLook, type LookBy } from '../../../bus/journal/journal-look.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';

const test = suite('journal look');
const journal = journalId('J1');
const NAME = journalLog(journal);
const turn = (n: number) => encodeTurn({ id: `R${n}`, journal, n, at: 0, parts: {}, letters: [] }, []);
const SEAL = encodeSeal({ id: 'S', journal, by: journalId('J2'), at: 0 });

function looking(by: LookBy = 'end', over: Partial<Log> = {}) {
  const log = { ...memoryLog(), ...over };
  const stands = { own: 0, sealed: 0, appends: [] as (() => void)[] };
  const look = new JournalLook({
    ...{ journal, log, by, own: () => stands.own },
    append: () => new Promise((resolve) => void stands.appends.push(resolve)),
    onSealed: () => void stands.sealed++,
  });
  return { log, look, stands };
}
const failure = (asked: Promise<void>): Promise<Unavailable | undefined> =>
  asked.then(
    () => undefined,
    (error) => error,
  );

test('a journal that ends at its own last record is its own', async () => {
  const { log, look, stands } = looking();
  await look.look();
  await log.append(NAME, 0, turn(1));
  stands.own = 1;
  await look.look();
  assert.is(stands.sealed, 0);
});

test('a record behind its own last one is its append under way; a seal there ends it', async () => {
  const { log, look, stands } = looking();
  await log.append(NAME, 0, turn(1));
  await look.look();
  await log.append(NAME, 1, SEAL);
  const error = await failure(look.look());
  assert.equal([error?.moved, stands.sealed], [true, 1]);
});

test('a log without an answer is no answer', async () => {
  const { look, stands } = looking('end', { end: () => Promise.reject(new Error('away')) });
  assert.match((await failure(look.look()))?.message ?? '', /the journal does not answer: Error: away/);
  assert.is(stands.sealed, 0);
});

test('an end that cannot be read is no answer', async () => {
  const { look } = looking('end', { end: async () => 7 });
  assert.match((await failure(look.look()))?.message ?? '', /its end cannot be read/);
});

test('a look that began before the question does not count; one look serves all who ask meanwhile', async () => {
  let ends = 0;
  let letGo = () => {};
  const { look } = looking('end', {
    async end() {
      if (++ends > 1) return 0;
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
      return 0;
    },
  });
  const first = look.look();
  const later = Array.from({ length: 50 }, () => look.look());
  letGo();
  await Promise.all([first, ...later]);
  assert.is(ends, 2);
});

test('where an append counts, each look is an append that begins after the question', async () => {
  const { look, stands } = looking('append');
  const [first, second] = [look.look(), look.look()];
  assert.is(stands.appends.length, 1);
  stands.appends[0]?.();
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(stands.appends.length, 2);
  stands.appends[1]?.();
  await second;
});

test.run();
