/**
 * Promise 5: each product and each unsettled order names the partition that its id hashes to. With another one no node
 * would load it: the product would be unknown, and the order would never end.
 */
import { partitionOf } from '../../actors/ids.js';
import type { Session } from '../postgres/postgres.js';
import { LONG_MS } from './sql-laws.js';
import type { Findings } from './verdict.js';

const PAGE = 10_000;

const TEXT = {
  product: `select product_id as id, partition from products
    where (partition, product_id) > ($1::smallint, $2) order by partition, product_id limit ${PAGE}`,
  order: `select order_id as id, partition from orders
    where state is not null and (partition, order_id) > ($1::smallint, $2) order by partition, order_id limit ${PAGE}`,
} as const;

interface Row {
  readonly id: string;
  readonly partition: number;
}

export async function judgePartitions(session: Session, partitions: number, findings: Findings): Promise<void> {
  for (const kind of ['product', 'order'] as const) {
    let after: Row | undefined = { id: '', partition: -1 };
    while (after !== undefined) {
      const from: Row = after;
      const parameters = [from.partition, from.id];
      const page: readonly Row[] = await session.query<Row>(
        `read where each ${kind} is`,
        TEXT[kind],
        parameters,
        LONG_MS,
      );
      for (const { id, partition } of page) {
        const expected = partitionOf(kind, id, partitions);
        if (partition === expected) continue;
        findings.add('durable', `${kind} ${id}`, `${kind}s.partition is ${partition}, expected ${expected}`);
      }
      after = page.length < PAGE ? undefined : page.at(-1);
    }
  }
}
