// The contract of a log, for every implementation.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Appended, Entry, Log } from '../../actors/ports/log.js';

const positionOf = (appended: Appended): number => {
  assert.is(appended.kind, 'appended');
  return appended.kind === 'appended' ? appended.position : Number.NaN;
};

const readAll = async (log: Log, name: string, after = 0): Promise<string[]> =>
  (await entriesOf(log, name, after)).map(({ record }) => record);

async function entriesOf(log: Log, name: string, after: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let at = after; ; ) {
    const page = await log.read(name, at);
    const last = page.at(-1);
    if (last === undefined) return entries;
    assert.ok(last.position > at, 'a page goes forward');
    entries.push(...page);
    at = last.position;
  }
}

export function logContract(name: string, make: () => Log, after: () => Promise<void> = async () => {}): void {
  const test = suite(`log contract: ${name}`);
  const nameOf = (() => {
    let count = 0;
    return () => `log-${process.pid}-${++count}`;
  })();

  test('records are read in append order, from any position', async () => {
    const log = make();
    const id = nameOf();
    const records = ['one', '{"two":"\\"\\\\ \u{1f600} {},NULL"}', 'three\nlines'];
    const positions: number[] = [];
    for (const record of records) positions.push(positionOf(await log.append(id, positions.at(-1) ?? 0, record)));
    assert.ok(positions.every((position, i) => position > (positions[i - 1] ?? 0)));
    assert.equal(
      await entriesOf(log, id, 0),
      records.map((record, i) => ({ position: positions[i], record })),
    );
    assert.equal(await readAll(log, id, positions[0]), records.slice(1));
    assert.equal(await log.read(id, positions[2] ?? 0), []);
    assert.equal(await log.read(nameOf(), 0), []);
  });

  test('the end is the highest position ever, with its record, also after a trim', async () => {
    const log = make();
    const id = nameOf();
    assert.is(await log.end(id), 0);
    assert.is(await log.last(id), undefined);
    const first = positionOf(await log.append(id, 0, 'a'));
    assert.is(await log.end(id), first);
    const second = positionOf(await log.append(id, first, 'b'));
    positionOf(await log.append(nameOf(), 0, 'of another log'));
    assert.is((await log.append(id, first, 'c')).kind, 'conflict');
    assert.equal([await log.end(id), await log.last(id)], [second, { position: second, record: 'b' }]);
    await log.trim(id, second);
    assert.equal([await log.end(id), await log.last(id)], [second, { position: second, record: 'b' }]);
  });

  test('an append must name the highest position so far', async () => {
    const log = make();
    const id = nameOf();
    const first = positionOf(await log.append(id, 0, 'a'));
    assert.is((await log.append(id, 0, 'b')).kind, 'conflict');
    assert.is((await log.append(id, first + 1, 'b')).kind, 'conflict');
    assert.is((await log.append(nameOf(), 1, 'b')).kind, 'conflict');
    positionOf(await log.append(id, first, 'b'));
    assert.equal(await readAll(log, id), ['a', 'b']);
  });

  test('of many appends at once one wins, also of the very first', async () => {
    const log = make();
    const id = nameOf();
    let after = 0;
    for (let round = 0; round < 3; round++) {
      const at = after;
      const answers = await Promise.all([...'abcdefgh'].map((who) => log.append(id, at, `${round}${who}`)));
      const winners = answers.filter(({ kind }) => kind === 'appended');
      assert.is(winners.length, 1);
      after = positionOf(winners[0] as Appended);
    }
    assert.is((await readAll(log, id)).length, 3);
  });

  test('many writers of many logs at once, each log by compare-and-set: no record is lost or stored twice', async () => {
    const log = make();
    const names = [nameOf(), nameOf(), nameOf()];
    const each = 8;
    const writers = names.flatMap((id) => ['a', 'b'].map((who) => ({ id, who })));
    await Promise.all(
      writers.map(async ({ id, who }) => {
        for (let done = 0, after = 0; done < each; ) {
          const answer = await log.append(id, after, `${who}${done}`);
          if (answer.kind === 'appended') {
            done++;
            after = answer.position;
          } else after = (await entriesOf(log, id, after)).at(-1)?.position ?? after;
        }
      }),
    );
    for (const id of names) {
      const records = await readAll(log, id);
      for (const who of ['a', 'b']) {
        const mine = records.filter((record) => record.startsWith(who));
        assert.equal(
          mine,
          Array.from({ length: each }, (_, i) => `${who}${i}`),
        );
      }
      assert.is(records.length, 2 * each);
    }
  });

  test('a trim never removes the last record, and admits no late append (hazard 1)', async () => {
    const log = make();
    const id = nameOf();
    const positions: number[] = [];
    for (const record of ['a', 'b', 'c'])
      positions.push(positionOf(await log.append(id, positions.at(-1) ?? 0, record)));
    const [first = 0, second = 0, third = 0] = positions;
    await log.trim(id, second);
    assert.equal(await readAll(log, id), ['c']);
    for (const sleeper of [0, first, second]) {
      assert.is((await log.append(id, sleeper, 'sleeper')).kind, 'conflict');
    }
    await log.trim(id, third + 100);
    assert.equal(await log.read(id, 0), [{ position: third, record: 'c' }]);
    await log.trim(id, 0);
    await log.trim(nameOf(), 5);
    positionOf(await log.append(id, third, 'd'));
    assert.equal(await readAll(log, id, second), ['c', 'd']);
  });

  test('pages are bounded, and a large record is read whole', async () => {
    const log = make();
    const id = nameOf();
    const records = Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(1_000_000, 'x'));
    let after = 0;
    for (const record of records) after = positionOf(await log.append(id, after, record));
    assert.equal(await readAll(log, id), records);
  });

  test('logs do not mix', async () => {
    const log = make();
    const [one, two] = [nameOf(), nameOf()];
    positionOf(await log.append(one, 0, 'one'));
    positionOf(await log.append(two, 0, 'two'));
    assert.equal(await readAll(log, one), ['one']);
    assert.equal(await readAll(log, two), ['two']);
  });

  test.after(after);
  test.run();
}
