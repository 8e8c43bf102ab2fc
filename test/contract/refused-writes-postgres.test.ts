/** Refused writes in Postgres: the latest are kept, and older ones are deleted. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId, productId, writeId } from '../../actors/ids.js';
import { writeRefusals } from '../../storage/snapshots/refused-write-rows.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { testDatabase } from './rig/storage-database.js';

const KEPT = 5;

const database = await testDatabase();
if (database !== undefined) {
  const { client } = database;
  const test = suite('refused writes in Postgres');
  const journal = journalId('journal of refusals');
  const refused = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      ref: writeId(`W${from + i}`),
      product: productId('P'),
      fingerprint: 'f',
      refusal: 'below_held' as const,
      at: 1_700_000_000_000,
    }));
  const write = async (rows: ReturnType<typeof refused>) => {
    const { text, parameters } = writeRefusals(journal, rows, KEPT);
    await client.query('flush refusals', text, parameters);
  };
  const kept = async (): Promise<string[]> =>
    (await client.query<{ ref: string }>('read', 'select ref from refused_writes order by no')).map(({ ref }) => ref);

  test('the table has at most the limit, plus the rows of one statement', async () => {
    await postgresSnapshots(client).openJournal(journal, nodeId('node'));
    await write(refused(1, 4));
    assert.equal(await kept(), ['W1', 'W2', 'W3', 'W4']);
    await write(refused(5, 4));
    assert.is((await kept()).length, 8);
    await write(refused(9, 1));
    assert.equal(await kept(), ['W4', 'W5', 'W6', 'W7', 'W8', 'W9']);
    for (let from = 10; from < 100; from += 3) {
      await write(refused(from, 3));
      const now = await kept();
      assert.ok(now.length <= KEPT + 3, `${now.length}`);
      assert.is(now.at(-1), `W${from + 2}`);
    }
  });

  test.after(() => database.stop());
  test.run();
}
