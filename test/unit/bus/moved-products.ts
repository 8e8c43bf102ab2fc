/** Two products that move, a Postgres that lags behind their owner and may be slow, and a cache that anyone can write. */
import { journalId, type ProductId, productId, writeId } from '../../../actors/ids.js';
import type { Cache } from '../../../actors/ports/cache.js';
import type { Queries } from '../../../actors/ports/queries.js';
import type { OperationRow } from '../../../actors/ports/snapshot-rows.js';
import { type Keepers, type Movements, productReads } from '../../../bus/reads/product-reads.js';
import { ReadCache } from '../../../bus/reads/read-cache.js';
import { memoryQueries } from '../../../storage/memory/memory-queries.js';
import { anOperation } from '../../contract/rig/storage-samples.js';

export const A = productId('A');
export const B = productId('B 20');

/** The queries about a product's past. */
export type Question =
  | { readonly kind: 'ledger'; readonly product: ProductId; readonly before?: number; readonly limit: number }
  | { readonly kind: 'at'; readonly product: ProductId; readonly at: number }
  | { readonly kind: 'audit'; readonly product: ProductId; readonly page: number; readonly pageSize: number };

export async function answerOf(queries: Queries, asked: Question): Promise<unknown> {
  switch (asked.kind) {
    case 'ledger':
      return queries.ledger(asked.product, asked.before, asked.limit);
    case 'at':
      return queries.stockAt(asked.product, asked.at);
    case 'audit':
      return queries.operations(asked.product, asked);
  }
}

/** Two movements share each moment. */
export const momentOf = (version: number): number => 1_000 + Math.floor(version / 2);

const movement = (product: ProductId, version: number): OperationRow => ({
  ...anOperation(product, version),
  ref: writeId(`W${version}`),
  correlation: product,
  at: momentOf(version),
});

/** The read model with these products at these versions. */
export function readModel(versions: ReadonlyMap<ProductId, number>): Queries {
  const operations = new Map(
    [...versions].map(([product, version]) => {
      const rows = Array.from({ length: version }, (_, i) => movement(product, i + 1));
      return [product, new Map(rows.map((row) => [row.version, row]))];
    }),
  );
  const none = { orders: new Map(), history: new Map(), products: new Map(), writes: new Map(), refusedWrites: [] };
  return memoryQueries({ ...none, operations, journals: new Map(), partitions: new Map() });
}

export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class MovedProducts {
  /** The versions at the owner, and in Postgres. */
  readonly kept = new Map<ProductId, number>();
  readonly flushed = new Map<ProductId, number>();
  /** Products whose last append has no answer yet. */
  readonly moving = new Set<ProductId>();
  readonly texts = new Map<string, string>();
  readonly outcomes: string[] = [];
  /** Statements that have their snapshot, and no answer yet. */
  readonly waiting: (() => void)[] = [];
  holds = false;
  isAlive = true;
  asked = 0;
  private keepers: Keepers | undefined;
  private lives = 0;
  readonly reads: Queries;

  constructor(private readonly cache: Cache = this.anyones()) {
    const late = async <T>(answer: Promise<T>): Promise<T> => {
      this.asked++;
      if (this.holds) await new Promise<void>((resolve) => this.waiting.push(resolve));
      return answer;
    };
    const now = () => readModel(this.flushed);
    const postgres: Queries = {
      ...now(),
      ledger: (...asked) => late(now().ledger(...asked)),
      stockAt: (...asked) => late(now().stockAt(...asked)),
      operations: (...asked) => late(now().operations(...asked)),
    };
    this.reads = productReads(postgres, () => (this.isAlive ? this.keepers : undefined));
    this.begin();
  }

  ask(question: Question): Promise<unknown> {
    return answerOf(this.reads, question);
  }

  move(product: ProductId, by = 1): void {
    this.kept.set(product, (this.kept.get(product) ?? 0) + by);
  }

  flush(product: ProductId): void {
    this.flushed.set(product, this.kept.get(product) ?? 0);
  }

  /** Moves a product and flushes it. */
  stands(product: ProductId, version: number): void {
    this.move(product, version - (this.kept.get(product) ?? 0));
    this.flush(product);
  }

  /** A look at the keeper's journal; it rejects when another has taken over. */
  look: (() => Promise<void>) | undefined;

  /** Starts another incarnation. */
  begin(): void {
    const journal = journalId(`J${++this.lives}`);
    const meter = { cached: (_: string, outcome: string) => void this.outcomes.push(outcome) };
    const cache = new ReadCache<Movements>('product', journal, this.cache, { monotonic: () => 0 }, meter);
    const versionOf = (product: ProductId) => (this.moving.has(product) ? undefined : this.kept.get(product));
    const { look = async () => {} } = this;
    this.keepers = { versionOf, cache, journal: { look } };
  }

  async release(): Promise<void> {
    this.holds = false;
    await settle(); // Every query has reached Postgres by now.
    for (const each of this.waiting.splice(0)) each();
  }

  private anyones(): Cache {
    return { get: async (key) => this.texts.get(key), set: async (key, text) => void this.texts.set(key, text) };
  }
}
