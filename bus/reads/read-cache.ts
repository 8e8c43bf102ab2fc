/**
 * Reads that would go to Postgres: answered from the cache, or by Postgres, which fills it. One for orders that are not
 * in their owner's memory, one for what is asked about products (product-reads.ts).
 *
 *  K1. Whatever a cache holds may be of another subject, of another question, older, or garbage. An entry counts only
 *      if it is, letter for letter, what this incarnation was last told by Postgres: its stamp (version, checksum)
 *      is kept here.
 *  K2. And only at the version at which its subject stands. A product's keeper names it with each question. An order
 *      that is not in memory stands still: its owner says when it leaves memory (`forget`), having been flushed
 *      before; the next read asks Postgres. A version is Postgres' own word, out of the snapshot of the answer: one
 *      from before a flush is lower, and teaches nothing.
 *  K3. One read of a question is under way at a time. Who comes meanwhile takes its answer if that is of the version
 *      named to him; else one more read is begun, after his question, for all who wait. A read that was under way
 *      when its order left memory teaches nothing, and nobody joins it any more.
 *  K4. One owner, one incarnation: the journal's name is part of every key, and the stamps end with it.
 *  K5. The cache never rejects and is asked once a read, so no question waits for it longer than limits.cacheReadMs.
 */
import { createHash } from 'node:crypto';
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { Recent } from '../../actors/recent-map.js';

export type ReadKind = 'order' | 'product';

/** `unknown`: no stamp that counts, so the cache was not asked. `refused`: there was something, and not what it should be. */
type CacheOutcome = 'hit' | 'miss' | 'refused' | 'unknown';

export interface CacheMeter {
  cached(read: ReadKind, outcome: CacheOutcome, durationMs: number): void;
}

/** What Postgres told, and the version of the subject in the same snapshot; what is not there has no value. */
export interface Told<T> {
  readonly version: number;
  readonly value: T;
}

interface Stamp {
  readonly version: number;
  readonly checksum: string;
}

type Reading<T> = Promise<Told<T>>;

/** A version that no answer has: of a subject that changes this moment. */
export const MOVING = Number.POSITIVE_INFINITY;

export class ReadCache<T> {
  private readonly stamps: Recent<string, Stamp>;
  private readonly underWay = new Map<string, Reading<T>>();

  constructor(
    private readonly kind: ReadKind,
    private readonly journal: JournalId,
    private readonly cache: Cache,
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly meter: CacheMeter,
  ) {
    this.stamps = new Recent(kind === 'order' ? limits.cacheStamps : limits.productStamps);
  }

  /**
   * @param question names its subject; the same text is the same question
   * @param ask Postgres
   * @param named the version at which the subject stands now (read-cache.K2); undefined: whoever changes it says `forget`
   */
  async read(question: string, ask: () => Reading<T>, named?: number): Reading<T> {
    const joined = this.underWay.get(question);
    if (joined === undefined) return this.begin(question, ask, named);
    const told = await joined;
    if (isAt(told, named)) return told;
    // That one began before the question; what was begun since did not.
    return this.underWay.get(question) ?? this.begin(question, ask, named);
  }

  /** read-cache.K2, read-cache.K3. */
  forget(question: string): void {
    this.stamps.delete(question);
    this.underWay.delete(question);
  }

  // -------------------------------------------------------------- machinery

  private begin(question: string, ask: () => Reading<T>, named: number | undefined): Reading<T> {
    const isCurrent = () => this.underWay.get(question) === reading;
    const reading: Reading<T> = this.find(question, ask, named, isCurrent).finally(() => {
      if (isCurrent()) this.underWay.delete(question);
    });
    this.underWay.set(question, reading);
    return reading;
  }

  private async find(
    question: string,
    ask: () => Reading<T>,
    named: number | undefined,
    isCurrent: () => boolean,
  ): Reading<T> {
    const cached = await this.look(question, named);
    if (cached !== undefined) return cached;
    const told = await ask();
    if (told.value === undefined || !isAt(told, named) || !isCurrent()) return told;
    const body = JSON.stringify(told.value);
    const stamp = { version: told.version, checksum: checksumOf(body) };
    this.stamps.set(question, stamp);
    void this.cache.set(this.keyOf(question), this.headOf(question, stamp) + body, limits.cacheTtlMs);
    return told;
  }

  private async look(question: string, named: number | undefined): Promise<Told<T> | undefined> {
    const stamp = this.stamps.get(question);
    if (stamp === undefined || (named !== undefined && stamp.version !== named)) {
      this.meter.cached(this.kind, 'unknown', 0);
      return undefined;
    }
    const began = this.clock.monotonic();
    const text = await this.cache.get(this.keyOf(question));
    const body = text === undefined ? undefined : bodyIn(text, this.headOf(question, stamp), stamp);
    const outcome = body !== undefined ? 'hit' : text === undefined ? 'miss' : 'refused';
    this.meter.cached(this.kind, outcome, this.clock.monotonic() - began);
    return body === undefined ? undefined : { version: stamp.version, value: JSON.parse(body) as T };
  }

  private keyOf(question: string): string {
    return `holdfast:${this.journal}:${this.kind}:${question}`;
  }

  /** Stands before the answer itself: whose it is, of which version, and what it must be. */
  private headOf(question: string, { version, checksum }: Stamp): string {
    return `${this.kind}/${FORMAT} ${version} ${checksum} ${question}\n`;
  }
}

const FORMAT = 2;

const checksumOf = (body: string): string => createHash('sha256').update(body).digest('base64url');

/** read-cache.K3: good enough for whoever was named this version. */
const isAt = ({ version }: Told<unknown>, named: number | undefined): boolean =>
  named === undefined || version >= named;

/** read-cache.K1. */
function bodyIn(text: string, head: string, stamp: Stamp): string | undefined {
  if (!text.startsWith(head)) return undefined;
  const body = text.slice(head.length);
  return checksumOf(body) === stamp.checksum ? body : undefined;
}
