// The plans of the statements behind each case. It records each statement that is sent, and explains it afterwards.

import { postgresQueries } from '../../storage/lists/queries.js';
import type { PostgresClient, Session } from '../../storage/postgres/postgres.js';
import type { Case } from './million-cases.js';

type Sent = Parameters<Session['query']>;

export async function plansOf(client: PostgresClient, cases: readonly Case[]): Promise<string> {
  const sent: Sent[] = [];
  const noted: PostgresClient = {
    ...client,
    query(...call: Sent) {
      sent.push(call);
      return client.query(...call);
    },
  } as PostgresClient;
  const queries = postgresQueries(noted, noted);
  const lines: string[] = [];
  for (const { name, run } of cases) {
    sent.length = 0;
    await run(queries);
    lines.push(`\n==== ${name}`);
    for (const [what, text, parameters = []] of [...sent]) {
      if (text.startsWith('explain')) continue;
      lines.push(`-- ${what}, with ${JSON.stringify(parameters)}`);
      const explained = `explain (analyze, buffers, costs off, timing on) ${text}`;
      for (const row of await client.query<{ 'QUERY PLAN': string }>(what, explained, parameters))
        lines.push(row['QUERY PLAN']);
    }
  }
  return `${lines.join('\n')}\n`;
}
