/**
 * The queue of what the search index is to look at (lists/search-index.ts). A row holds a bounded number of ids: a batch
 * of rows is indexed by one statement, and a batch that is too large for its deadline would never pass.
 */

const IDS = 1_000;

/** `folding` in `order_search` of a forgotten order: it is never overwritten by words that were read before it was forgotten. */
export const ERASED = 10_000;

/** Inserts rows of the queue. @param ids a query with one column `id`; without rows it queues nothing. */
export const queued = (column: 'order_ids' | 'product_ids', ids: string): string =>
  `insert into order_search_queue (${column}) select array_agg(id)::text
    from (select id, row_number() over () as place from (${ids}) found) placed group by (place - 1) / ${IDS}`;
