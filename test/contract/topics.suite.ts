// What the feed relies on of topics, on Kafka and in memory.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Superseded, type TopicRecord, type TopicShape, type Topics } from '../../bus/kafka/topics.js';
import { until } from '../deadlines.js';

interface Read {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
}

const SHOWN_MS = 5_000;
export const TOPICS = { many: 'many.v1', latest: 'latest.v1', empty: 'empty.v1' };
const SHAPES: readonly TopicShape[] = [
  { name: TOPICS.many, partitions: 3, compacted: false },
  { name: TOPICS.latest, partitions: 1, compacted: true },
  { name: TOPICS.empty, partitions: 1, compacted: false },
];

/**
 * @param committed resolves with all committed records once there are as many
 * @param after runs at the end
 */
export function topicsContract(
  name: string,
  newTopics: () => Topics,
  committed: (count: number) => Promise<readonly Read[]>,
  after: () => Promise<void>,
): void {
  const test = suite(`topics contract: ${name}`);
  const open: Topics[] = [];
  const topics = () => {
    const one = newTopics();
    open.push(one);
    return one;
  };
  const record = (topic: string, key: string, value: string): TopicRecord => ({
    ...{ topic, key, value, timestampMs: Date.now() },
    headers: [['ce_id', `${key}/${value}`]],
  });
  const many = (key: string, value: string) => record(TOPICS.many, key, value);
  const latest = (key: string, value: string) => record(TOPICS.latest, key, value);
  const refused = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => assert.unreachable(),
      (error) => error,
    );

  /** What a living writer has written shows some moments later. */
  async function assertShows(of: Topics, key: string, value: string): Promise<void> {
    let found: string | undefined;
    const isThere = async () => {
      found = await of.last(TOPICS.latest, key);
      return found === value;
    };
    assert.ok(await until(isThere, SHOWN_MS), `${key} is ${found}`);
  }

  test.after(async () => {
    for (const each of open) await each.close();
    await after();
  });

  test('missing topics are made, once', async () => {
    const [one, two] = [topics(), topics()];
    await one.ping();
    assert.equal(new Set(await one.ensure(SHAPES)), new Set(Object.values(TOPICS)));
    assert.equal(await two.ensure(SHAPES), []);
    assert.is((await two.filled([...Object.values(TOPICS), 'never.v1'])).size, 0);
  });

  test('a topic of one partition tells the last record of each key', async () => {
    const all = topics();
    assert.is(await all.last(TOPICS.latest, 'a'), undefined);
    const writer = await all.open('reads');
    await writer.write([latest('a', '1'), latest('b', 'ü😀')]);
    for (let i = 2; i < 9; i++) await writer.write([latest('a', `${i}`), many('k', `${i}`)]);
    await assertShows(all, 'a', '8');
    await assertShows(topics(), 'b', 'ü😀');
    assert.equal(await all.filled(Object.values(TOPICS)), new Set([TOPICS.many, TOPICS.latest]));
    await writer.close();
  });

  test('a writer that was opened later ends the one before it, and its name alone counts', async () => {
    const [one, two] = [topics(), topics()];
    const first = await one.open('same');
    const other = await one.open('other');
    await first.write([latest('w', 'first')]);
    const second = await two.open('same');
    assert.instance(await refused(first.write([latest('w', 'zombie'), many('w', 'zombie')])), Superseded);
    assert.is(await two.last(TOPICS.latest, 'w'), 'first');
    await second.write([latest('w', 'second')]);
    await other.write([latest('o', 'other')]);
    await assertShows(two, 'w', 'second');
    const third = await one.open('same');
    assert.instance(await refused(second.write([latest('w', 'zombie')])), Superseded);
    await third.write([latest('w', 'third')]);
    await assertShows(one, 'w', 'third');
    for (const each of [first, second, third, other]) await each.close();
  });

  test('a writer that met an error writes nothing any more', async () => {
    const all = topics();
    const writer = await all.open('dead');
    await refused(writer.write([latest('d', 'half'), record('never.v1', 'd', 'x')]));
    await refused(writer.write([latest('d', 'later')]));
    await writer.close();
    const next = await all.open('dead');
    assert.is(await all.last(TOPICS.latest, 'd'), undefined);
    await next.write([latest('d', 'next')]);
    await assertShows(all, 'd', 'next');
    await next.close();
  });

  test('a transaction larger than any request is one, in its order', async () => {
    const writer = await topics().open('large');
    const padding = 'x'.repeat(2_000);
    const records = Array.from({ length: 1_000 }, (_, i) => many(`L${i % 7}`, `${i}:${padding}`));
    await writer.write([...records, latest('large', 'whole')]);
    await writer.close();
  });

  test('who reads committed records has each once, in the order of its key, and none of an aborted transaction', async () => {
    const wanted = new Map<string, string[]>([
      ...[0, 1, 2, 3, 4, 5, 6].map((key): [string, string[]] => [
        `L${key}`,
        Array.from({ length: 1_000 }, (_, i) => i)
          .filter((i) => i % 7 === key)
          .map(String),
      ]),
      ['k', ['2', '3', '4', '5', '6', '7', '8']],
    ]);
    const count = [...wanted.values()].reduce((sum, { length }) => sum + length, 0);
    const found = new Map<string, string[]>();
    for (const { topic, key, value } of await committed(count)) {
      if (topic !== TOPICS.many) continue;
      found.set(key, [...(found.get(key) ?? []), value.split(':')[0] ?? '']);
    }
    assert.equal(found, wanted);
  });

  test.run();
}
