import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeId } from '../../actors/ids.js';
import { postgresReceiptKeys } from '../../storage/postgres/postgres-receipt-keys.js';
import { receiptKeysContract } from './receipt-keys.suite.js';
import { testDatabase } from './rig/storage-database.js';

const database = await testDatabase();
if (database !== undefined) {
  const { client, lists } = database;
  const keys = postgresReceiptKeys(client);
  const test = suite('the age of receipt keys');

  test('a key of more than a day ago goes with the next one; a younger one stays', async () => {
    for (const ref of ['WR-old', 'WR-young']) await keys.take(writeId(ref), 'body');
    await client.query('age', "update receipt_keys set taken_at = now() - interval '25 hours' where ref = 'WR-old'");
    await keys.take(writeId('WR-next'), 'body');
    const rows = await client.query<{ ref: string }>('read', 'select ref from receipt_keys order by ref');
    assert.equal(
      rows.map(({ ref }) => ref),
      ['WR-next', 'WR-young'],
    );
  });

  test.run();
  receiptKeysContract('Postgres', keys, [postgresReceiptKeys(lists)], database.stop);
}
