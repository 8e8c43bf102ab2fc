// The queries of KAFKA.md, run on what a consumer of committed records got.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance, type Json } from '@duckdb/node-api';

/** dist/test/faults/rig -> the checkout. */
const PAGE = fileURLToPath(new URL('../../../../KAFKA.md', import.meta.url));

/**
 * @param files by their names in the page: lines of JSON
 * @returns the rows of each query, in the order of the page
 */
export async function documentedQueries(
  folder: string,
  files: Readonly<Record<string, readonly string[]>>,
): Promise<readonly (readonly Json[][])[]> {
  const page = await readFile(PAGE, 'utf8');
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    for (const [name, lines] of Object.entries(files)) await writeFile(join(folder, name), `${lines.join('\n')}\n`);
    const results: (readonly Json[][])[] = [];
    for (const [, query = ''] of page.matchAll(/```sql\n([\s\S]*?)```/g)) {
      const located = Object.keys(files).reduce(
        (text, name) => text.replaceAll(`'${name}'`, `'${join(folder, name)}'`),
        query,
      );
      results.push((await connection.runAndReadAll(located)).getRowsJson());
    }
    return results;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
