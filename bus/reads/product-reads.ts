/**
 * What is asked about a product's past, out of the read model or the cache (read-cache.ts), at the version that the
 * product's keeper names: a page of its ledger, a past balance, a page of its audit.
 *
 * Law: the keeper names the version, Postgres the one that its answer is of, and only where they are the same does
 * an entry count. Versions are dense, so what comes before a version is decided for good: a page that begins there
 * stands at the version below, however far its product has come since. Where no keeper can name a version (none
 * runs, or an append that changes it is under way) Postgres is asked.
 */
import type { ProductId } from '../../actors/ids.js';
import type { Node } from '../../actors/node/node.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { OperationRow } from '../../actors/ports/snapshot-rows.js';
import { MOVING, type ReadCache, type Told } from './read-cache.js';

/** Newest first. */
export interface Movements {
  readonly operations: readonly OperationRow[];
  /** There are older ones behind them. */
  readonly more: boolean;
}

/** The keepers of one incarnation. */
export interface Keepers {
  /** As it is appended; undefined while that changes, and of a product that there is not. */
  versionOf(product: ProductId): number | undefined;
  readonly cache: ReadCache<Movements>;
}

export const keepersOf = (node: Pick<Node, 'product'>, cache: ReadCache<Movements>): Keepers => ({
  versionOf(product) {
    const sight = node.product(product);
    return sight.kind === 'now' ? sight.state.version : undefined;
  },
  cache,
});

/** @param alive the keepers that run now, if any do */
export function productReads(queries: Queries, alive: () => Keepers | undefined): Queries {
  async function read(
    question: string,
    product: ProductId,
    ask: () => Promise<Told<Movements>>,
    upTo = MOVING,
  ): Promise<Told<Movements>> {
    const keepers = alive();
    if (keepers === undefined) return ask();
    const named = Math.min(keepers.versionOf(product) ?? MOVING, upTo);
    return keepers.cache.read(`${question} ${product}`, ask, named);
  }

  return {
    ...queries,

    async ledger(product, before, limit) {
      const ask = async () => {
        const page = await queries.ledger(product, before, limit);
        return { version: page.operations[0]?.version ?? 0, value: page };
      };
      const upTo = before === undefined ? MOVING : before - 1;
      return (await read(`ledger/${before ?? ''}/${limit}`, product, ask, upTo)).value;
    },

    async stockAt(product, at) {
      const ask = async () => {
        const { version, operation } = await queries.stockAt(product, at);
        return { version, value: { operations: operation === undefined ? [] : [operation], more: false } };
      };
      const { version, value } = await read(`at/${at}`, product, ask);
      return { version, operation: value.operations[0] };
    },

    async operations(product, page) {
      if (product === undefined) return queries.operations(product, page);
      const ask = async () => {
        const { operations, total } = await queries.operations(product, page);
        return { version: total, value: { operations, more: total > page.page * page.pageSize } };
      };
      const { version, value } = await read(`audit/${page.page}/${page.pageSize}`, product, ask);
      return { operations: value.operations, total: version, isEstimate: false };
    },
  };
}
