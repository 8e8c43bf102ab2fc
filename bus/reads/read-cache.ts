/**
 * Answers reads from the cache, or from Postgres, whose answer fills the cache. One instance serves orders that are not
 * in their owner's memory, another serves reads about products (product-reads.ts).
 *
 *  K1. A cache entry may belong to another subject or question, may be old, or may be garbage. It counts only if it
 *      equals, byte for byte, the last answer of Postgres to this incarnation. This class keeps the stamp of
 *      that answer: its version and checksum.
 *  K2. An entry counts only at its subject's current version. A product's keeper names that version with each question.
 *      An order that is not in memory does not change. The owner flushes an order before the order leaves memory, and
 *      then calls `forget`: the next read asks Postgres. The version comes from the same Postgres snapshot as the
 *      answer, so an answer from before a flush has a lower version, and is not cached.
 *  K3. Only one read per question is under way. A reader that joins takes its answer if the answer has the version
 *      named to that reader. Otherwise one more read begins for all who wait. A read that was under way when its order
 *      left memory is not cached, and no reader joins it any more.
 *  K4. The cache belongs to one incarnation: the journal's name is part of every key, and the stamps end with it. An
 *      order's stamp ends when its partition leaves: another owner may change the order then.
 *  K5. The cache never rejects and is asked once per read, so no read waits for it longer than limits.cacheReadMs.
 */
import { createHash } from 'node:crypto';
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { Recent } from '../../actors/recent-map.js';

export type ReadKind = 'order' | 'product';

/** `unknown`: no current stamp, so the cache was not asked. `refused`: the entry did not match the stamp. */
type CacheOutcome = 'hit' | 'miss' | 'refused' | 'unknown';

export interface CacheMeter {
  cached(read: ReadKind, outcome: CacheOutcome, durationMs: number): void;
}

/** An answer of Postgres, and the subject's version in the same snapshot. A missing subject has no value. */
export interface Told<T> {
  readonly version: number;
  readonly value: T;
}

interface Stamp {
  readonly version: number;
  readonly checksum: string;
}

type Reading<T> = Promise<Told<T>>;

/** The version of a subject that an append is changing now: no answer has it. */
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
   * @param question names the subject; the same text is the same question
   * @param ask asks Postgres
   * @param named the subject's current version (read-cache.K2); undefined for a subject whose owner calls `forget`
   */
  async read(question: string, ask: () => Reading<T>, named?: number): Reading<T> {
    const joined = this.underWay.get(question);
    if (joined === undefined) return this.begin(question, ask, named);
    const told = await joined;
    if (isAt(told, named)) return told;
    // That read began before this question, and a read that began since did not.
    return this.underWay.get(question) ?? this.begin(question, ask, named);
  }

  /** read-cache.K2: the next read asks Postgres. read-cache.K3: no reader joins the read under way. */
  forget(question: string): void {
    this.stamps.delete(question);
    this.underWay.delete(question);
  }

  /** read-cache.K4: the questions whose partition leaves this node. */
  forgetAll(isIt: (question: string) => boolean): void {
    for (const question of [...this.stamps.keys(), ...this.underWay.keys()]) if (isIt(question)) this.forget(question);
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

  /** The text before the answer in an entry: the question, the version and the checksum. */
  private headOf(question: string, { version, checksum }: Stamp): string {
    return `${this.kind}/${FORMAT} ${version} ${checksum} ${question}\n`;
  }
}

const FORMAT = 2;

const checksumOf = (body: string): string => createHash('sha256').update(body).digest('base64url');

/** read-cache.K3: an answer serves a reader if it is not older than the version named to the reader. */
const isAt = ({ version }: Told<unknown>, named: number | undefined): boolean =>
  named === undefined || version >= named;

/** read-cache.K1: the body only if the entry equals what the stamp says. */
function bodyIn(text: string, head: string, stamp: Stamp): string | undefined {
  if (!text.startsWith(head)) return undefined;
  const body = text.slice(head.length);
  return checksumOf(body) === stamp.checksum ? body : undefined;
}
