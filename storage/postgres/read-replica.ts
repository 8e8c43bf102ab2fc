/**
 * A read replica for lists: a standby of the primary that streams its WAL. It is used only while it is known to be nearly up
 * to date, and its failures reach no client.
 *
 *  P1. Its lag is told by positions of the WAL, on this process's own clock. Each look first notes where the primary is,
 *      then asks how far the replica has replayed. It has everything up to the last noted position that it has reached. So
 *      a replica that is paused, or looked at no more, grows older with each moment.
 *  P2. It must be a standby of this system: in recovery, with this system's id, and never ahead of the primary.
 *  P3. It is left alone when a look fails, when its lag is above the limit, or after some failed statements in a row. It is
 *      used again after a few good looks.
 *  P4. A statement that fails there is asked of the primary. One that runs when the replica is left alone does not wait for
 *      its answer. Only one that was ended as too long (57014) fails: the primary would take as long.
 */
import type { ReplicaStatus } from '../../actors/ports/queries.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { type PostgresClient, type Session, sqlState } from './postgres.js';

interface ReadReplica {
  /** Asks the replica, and the primary where that fails. */
  readonly client: PostgresClient;
  /** At most how old its rows are now, in milliseconds; undefined while it is left alone. */
  usableLagMs(): number | undefined;
  status(): ReplicaStatus;
  stop(): void;
}

interface ReadReplicaParts {
  /** For lists. */
  readonly replica: PostgresClient;
  /** Of its own, so that a look waits for no list. */
  readonly looks: Session;
  readonly primary: Session;
  /** What answers where the replica does not. */
  readonly lists: PostgresClient;
  /** The id of this system. */
  readonly system: string;
  readonly maxLagMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_EVERY_MS = 250;
export const LOOK_MS = 1_000;
/** Good looks before a replica that was left alone is used again. */
const GOOD_LOOKS = 4;
/** Positions that are noted and not reached yet. */
const NOTED = 400;
/** Statements that fail one after the other before it is left alone. */
const FAILURES = 3;
/** For so long at first. Each time that it happens again, without an answer in between, twice as long. */
const REST_MS = 5_000;
const MOST_REST_MS = 60_000;
const CANCELED = '57014';
const SET_BY = 'DATABASE_READ_URL';

const WRITTEN = 'select pg_current_wal_lsn()::text as lsn';
const REPLAYED = `select pg_is_in_recovery() as standby,
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end::text as lsn, (select id from settlement) as system`;

export function readReplica(parts: ReadReplicaParts): ReadReplica {
  const { replica, lists } = parts;
  const calls = new Set<(error: Error) => void>();
  const watch = new ReplicaWatch(parts, (why) => {
    for (const giveUp of calls) giveUp(new LeftAlone(why));
  });

  /** read-replica.P4 */
  function whileUsed<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      calls.add(reject);
      answer.then(resolve, reject).finally(() => calls.delete(reject));
    });
  }

  const query: Session['query'] = async (what, text, parameters, deadlineMs) => {
    if (watch.usableLagMs() === undefined) return lists.query(what, text, parameters, deadlineMs);
    try {
      const rows = await whileUsed(replica.query<never>(what, text, parameters, deadlineMs));
      watch.answered();
      return rows;
    } catch (error) {
      if (sqlState(error) === CANCELED) throw error;
      if (!(error instanceof LeftAlone)) watch.failed(error);
      return lists.query(what, text, parameters, deadlineMs);
    }
  };

  watch.start();
  return {
    client: { ...replica, query },
    usableLagMs: () => watch.usableLagMs(),
    status: () => watch.status(),
    stop: () => watch.stop(),
  };
}

class LeftAlone extends Error {}

// ---------------------------------------------------------------- how far it is

/** A position in the WAL of the primary. */
interface Noted {
  readonly at: number;
  readonly lsn: bigint;
}

class ReplicaWatch {
  private readonly startedAt: number;
  /** The oldest first. */
  private noted: Noted[] = [];
  /** The time of the last noted position that it has reached. */
  private reachedAt: number | undefined;
  private replayed = 0n;
  private goodLooks = GOOD_LOOKS - 1; // One is enough after a start.
  private isUsed = false;
  private why = 'nobody has looked at it yet';
  private isTold = false;
  private failures = 0;
  private restMs = REST_MS;
  private restsUntil = Number.NEGATIVE_INFINITY;
  private cancel: () => void = () => {};
  private isStopped = false;

  constructor(
    private readonly parts: ReadReplicaParts,
    private readonly leftAlone: (why: string) => void,
  ) {
    this.startedAt = parts.clock.monotonic();
  }

  start(): void {
    void this.look().finally(() => {
      if (!this.isStopped) this.cancel = this.parts.clock.after(LOOK_EVERY_MS, () => this.start());
    });
  }

  stop(): void {
    this.isStopped = true;
    this.cancel();
  }

  usableLagMs(): number | undefined {
    const lagMs = this.lagMs;
    return this.isUsed && lagMs <= this.parts.maxLagMs ? lagMs : undefined;
  }

  status(): ReplicaStatus {
    const { lagMs, isUsed, why } = this;
    const isLate = lagMs > this.parts.maxLagMs;
    return { isUsed: isUsed && !isLate, lagMs, ...((!isUsed || isLate) && { why: isUsed ? this.late() : why }) };
  }

  answered(): void {
    this.failures = 0;
    this.restMs = REST_MS;
  }

  failed(error: unknown): void {
    if (++this.failures < FAILURES) return;
    this.failures = 0;
    this.restsUntil = this.parts.clock.monotonic() + this.restMs * (0.5 + this.parts.clock.random() / 2);
    this.restMs = Math.min(2 * this.restMs, MOST_REST_MS);
    this.judged(`statements fail there: ${textOf(error)}`);
  }

  private get lagMs(): number {
    return this.parts.clock.monotonic() - (this.reachedAt ?? this.startedAt);
  }

  private async look(): Promise<void> {
    try {
      await this.note();
      await this.compare();
    } catch (error) {
      this.judged(textOf(error));
      return;
    }
    if (this.parts.clock.monotonic() < this.restsUntil) return;
    this.judged(this.reachedAt === undefined || this.lagMs > this.parts.maxLagMs ? this.late() : undefined);
  }

  private async note(): Promise<void> {
    const at = this.parts.clock.monotonic();
    const [row] = await this.parts.primary.query<{ lsn: string }>("ask for the primary's place", WRITTEN, [], LOOK_MS);
    const lsn = positionOf(row?.lsn ?? '0/0');
    const last = this.noted.at(-1)?.lsn ?? 0n;
    if (lsn < last) this.noted = []; // Another primary, which lacks the end of the one before it.
    if (this.replayed > lsn) {
      this.reachedAt = undefined;
      throw new Error('it is ahead of the primary: it follows another server');
    }
    this.noted.push({ at, lsn });
    if (this.noted.length > NOTED) this.noted.shift();
  }

  private async compare(): Promise<void> {
    const [row] = await this.parts.looks.query<{ standby: boolean; lsn: string | null; system: string | null }>(
      'ask how far the replica is',
      REPLAYED,
      [],
      LOOK_MS,
    );
    this.replayed = 0n;
    if (row?.standby !== true) throw new Error('it is no standby: it was promoted, or is another server');
    if (row.system !== this.parts.system)
      throw new Error(`its database is of another system (${row.system ?? 'none'})`);
    this.replayed = positionOf(row.lsn ?? '0/0');
    const reached = this.noted.findLastIndex(({ lsn }) => lsn <= this.replayed);
    const last = this.noted[reached];
    if (last === undefined) return;
    this.reachedAt = last.at;
    this.noted = this.noted.slice(reached + 1);
  }

  private late(): string {
    const { reachedAt, lagMs, parts } = this;
    if (reachedAt === undefined) return 'it has not replayed what the primary had at the first look';
    return `it is ${(lagMs / 1_000).toFixed(1)} s behind the primary, and ${parts.maxLagMs / 1_000} s are allowed`;
  }

  /** read-replica.P3 */
  private judged(why: string | undefined): void {
    if (this.isStopped) return;
    const { logger } = this.parts;
    if (why !== undefined) {
      this.goodLooks = 0;
      this.why = why;
      if (this.isUsed || !this.isTold)
        logger.warn({ cause: why }, `The read replica (${SET_BY}) is left alone: lists go to the primary`);
      this.isTold = true;
      if (this.isUsed) this.leftAlone(why);
      this.isUsed = false;
      return;
    }
    this.goodLooks++;
    if (this.isUsed || this.goodLooks < GOOD_LOOKS) return;
    this.isUsed = true;
    this.isTold = true;
    logger.info({ lagMs: Math.ceil(this.lagMs) }, `Lists go to the read replica (${SET_BY})`);
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Postgres writes a position as two hexadecimal halves: 16/B374D848. */
function positionOf(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
