/**
 * Reads a product's past from the cache (read-cache.ts) or from Postgres: a page of its ledger, a past balance, a page
 * of its audit.
 *
 * Law: the product's keeper names the current version, and Postgres names the version of its answer. A cache entry
 * counts only if both are the same. Versions are dense, so the rows before a version never change: a page of them
 * stays at the version below, however often the product changes later. If no keeper names a version (none runs, or an
 * append that changes the product is under way), Postgres is asked.
 */
import type { ProductId } from '../../actors/ids.js';
import type { Sights } from '../../actors/node/sights.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { OperationRow } from '../../actors/ports/snapshot-rows.js';
import type { JournalLook } from '../journal/journal-look.js';
import { MOVING, type ReadCache, type Told } from './read-cache.js';

/** A page of a product's operations, newest first. */
export interface Movements {
  readonly operations: readonly OperationRow[];
  /** Older operations follow. */
  readonly more: boolean;
}

/** The keepers of one incarnation. */
export interface Keepers {
  /** The appended version; undefined while an append changes it, and for a product that does not exist. */
  versionOf(product: ProductId): number | undefined;
  readonly cache: ReadCache<Movements>;
  /** Whoever relies on the version looks first (journal-look.ts). */
  readonly journal: Pick<JournalLook, 'look'>;
}

export const keepersOf = (
  sights: Pick<Sights, 'product'>,
  cache: ReadCache<Movements>,
  journal: Keepers['journal'],
): Keepers => ({
  versionOf(product) {
    const sight = sights.product(product);
    return sight.kind === 'now' ? sight.state.version : undefined;
  },
  cache,
  journal,
});

const isOwner = (journal: Keepers['journal']): Promise<boolean> =>
  journal.look().then(
    () => true,
    () => false,
  );

/** @param alive returns the keepers of the current incarnation; undefined while none runs */
export function productReads(queries: Queries, alive: () => Keepers | undefined): Queries {
  async function read(
    question: string,
    product: ProductId,
    ask: () => Promise<Told<Movements>>,
    upTo = MOVING,
  ): Promise<Told<Movements>> {
    const keepers = alive();
    if (keepers === undefined || !(await isOwner(keepers.journal))) return ask();
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
