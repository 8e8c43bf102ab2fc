/**
 * Reads of orders that are not in their owner's memory: from the cache, or from Postgres, which fills it.
 *
 *  K1. Whatever a cache holds may be of another order, older, or garbage. An entry counts only if it is,
 *      letter for letter, what this owner was last told by Postgres: its stamp (format, version, checksum) is kept here.
 *  K2. A stamp is forgotten at the moment its order leaves memory (`forget`), as an order changes only in
 *      memory, and is flushed before it leaves. The next read asks Postgres.
 *  K3. A read that was under way at that moment teaches nothing, and nobody joins it any more.
 *  K4. One owner, one incarnation: the journal's name is part of every key, and the stamps end with it.
 *  K5. The cache never rejects and is asked once a read, so no read waits for it longer than limits.cacheReadMs.
 */
import { createHash } from 'node:crypto';
import type { JournalId, OrderId } from '../actors/ids.js';
import { limits } from '../actors/limits.js';
import type { OrderState } from '../actors/order.js';
import type { Cache, Clock } from '../actors/ports.js';
import { Recent } from '../actors/recent.js';

/** `unknown`: no stamp, so the cache was not asked. `refused`: there was something, and not what it should be. */
export type CacheOutcome = 'hit' | 'miss' | 'refused' | 'unknown';

export interface CacheMeter {
  cached(outcome: CacheOutcome, durationMs: number): void;
}

type Reading = Promise<OrderState | undefined>;

export class OrderCache {
  private readonly stamps = new Recent<OrderId, string>(limits.cacheStamps);
  private readonly underWay = new Map<OrderId, Reading>();

  constructor(
    private readonly journal: JournalId,
    private readonly cache: Cache,
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly meter: CacheMeter,
  ) {}

  /** Of an order that is not in memory. One read of an id is under way at a time; others join it. @param ask Postgres */
  read(id: OrderId, ask: () => Reading): Reading {
    const joined = this.underWay.get(id);
    if (joined !== undefined) return joined;
    const isCurrent = () => this.underWay.get(id) === reading;
    const reading: Reading = this.find(id, ask, isCurrent).finally(() => {
      if (isCurrent()) this.underWay.delete(id);
    });
    this.underWay.set(id, reading);
    return reading;
  }

  /** K2, K3. */
  forget(id: OrderId): void {
    this.stamps.delete(id);
    this.underWay.delete(id);
  }

  // -------------------------------------------------------------- machinery

  private async find(id: OrderId, ask: () => Reading, isCurrent: () => boolean): Reading {
    const cached = await this.look(id);
    if (cached !== undefined) return cached;
    const state = await ask();
    if (state === undefined || !isCurrent()) return state;
    const body = JSON.stringify(state);
    const stamp = stampOf(state.version, body);
    this.stamps.set(id, stamp);
    void this.cache.set(this.keyOf(id), stamp + body, limits.cacheTtlMs);
    return state;
  }

  private async look(id: OrderId): Reading {
    const stamp = this.stamps.get(id);
    if (stamp === undefined) {
      this.meter.cached('unknown', 0);
      return undefined;
    }
    const began = this.clock.monotonic();
    const text = await this.cache.get(this.keyOf(id));
    const state = text === undefined ? undefined : stateIn(text, stamp);
    const outcome = state !== undefined ? 'hit' : text === undefined ? 'miss' : 'refused';
    this.meter.cached(outcome, this.clock.monotonic() - began);
    return state;
  }

  private keyOf(id: OrderId): string {
    return `holdfast:${this.journal}:order:${id}`;
  }
}

const FORMAT = 1;

/** Stands before the order itself, which says its id. */
const stampOf = (version: number, body: string): string => `order/${FORMAT} ${version} ${checksumOf(body)}\n`;

const checksumOf = (body: string): string => createHash('sha256').update(body).digest('base64url');

/** K1. */
function stateIn(text: string, stamp: string): OrderState | undefined {
  if (!text.startsWith(stamp)) return undefined;
  const body = text.slice(stamp.length);
  return stamp.endsWith(` ${checksumOf(body)}\n`) ? (JSON.parse(body) as OrderState) : undefined;
}
