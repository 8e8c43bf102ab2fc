/**
 * What EVENTS must have before a record, and who publishes it. So each actor's events are in order, wherever its
 * partition has moved.
 *
 *  O1. A record's joins name journals, and how far EVENTS must have each of them: up to a release's n, or all of a sealed
 *      journal. The record waits for that, and so does everything after it in its journal. Joins follow the releases and
 *      seals that they name, so no two records wait for each other.
 *  O2. Of a sealed journal, whoever waits publishes what is missing, after a look at the joins of those records. It
 *      publishes no further than what is named: a later record may wait for the one who waits (hazard 14).
 *  O3. The events of a live journal are published by its owner, and others wait. If the owner is gone and has left no
 *      seal, whoever waits seals the journal and publishes what is missing.
 *  O4. A turn without events leaves no message, so a release's n is out when the last turn with events up to it is. What
 *      the joins of the turns in between name must be out too: nothing shows whether their owner has looked.
 *  O5. While the broker was away it may have lost messages. A look that began before that does not count, and ends: who
 *      waits here may have lost messages of its own, for which others wait. A look ends after a time for the same reason.
 *  O6. A journal without a row is forgotten, and all its events were on EVENTS (janitor.N1).
 */
import type { JournalId } from '../../actors/ids.js';
import type { EventSource } from '../../actors/node/cloud-events.js';
import type { Join } from '../../actors/node/record.js';
import type { EventLog, EventsBefore } from '../../actors/ports/events.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { sealJournal } from '../journal/seal.js';
import { pause } from '../retry.js';
import { isLost, publishTail, turnsAfter } from './published-turns.js';

interface EventOrderParts {
  /** The journal of this incarnation. */
  readonly journal: JournalId;
  readonly log: Log;
  readonly events: EventLog;
  readonly snapshots: Pick<Snapshots, 'journals'>;
  /** The `source` attribute of the events. */
  readonly source: EventSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The journal's writer is dead for certain, or judged dead. */
  readonly isGone: (row: JournalRow) => boolean;
  readonly stopped: () => boolean;
}

type Upto = number | 'seal';

const REMEMBERED = 1_000;
const LOOK_MS = 10_000;
/** So many pauses, some seconds, are nothing to speak of. */
const PATIENT_ATTEMPTS = 9;

interface Missing {
  readonly row: JournalRow;
  readonly upTo: Upto;
}

/** The last turn with events up to some n. */
interface LastTurn {
  /** 0 if none is left in the journal. */
  readonly n: number;
  readonly at: number;
  /** Of the turns after it, up to that n. */
  readonly joins: readonly Join[];
}

export class EventOrder {
  private rechecks = 0;
  /** By journal and n. */
  private readonly lastTurns = new Map<string, LastTurn>();

  constructor(private readonly parts: EventOrderParts) {}

  /** Called after the broker was away (event-order.O5). */
  recheck(): void {
    this.rechecks += 1;
  }

  /**
   * Resolves when everything that the joins name is on EVENTS, with the last message of each journal named; with undefined
   * when it must be asked again (event-order.O5).
   * @param journal the journal with the joins: what is before them there is published already
   */
  async before(journal: JournalId, joins: readonly Join[]): Promise<EventsBefore | undefined> {
    const { clock, logger } = this.parts;
    const isOver = this.untilOver();
    for (let attempt = 0; !isOver(); attempt++) {
      try {
        const missing = await this.missing(journal, joins);
        if (missing.length === 0) return isOver() ? undefined : await this.named(journal, joins);
        const ours = missing.filter(({ row, upTo }) => this.isOurs(row, upTo));
        for (const { row, upTo } of ours) await this.publish(row, upTo, isOver);
        if (ours.length > 0) continue;
        if (attempt === PATIENT_ATTEMPTS) {
          const waitsFor = missing.map(({ row, upTo }) => `${row.journal} up to ${upTo}`);
          logger.warn({ journal, waitsFor }, 'public events wait for the events of other journals');
        }
      } catch (error) {
        if (isOver()) break;
        logger.warn({ journal, attempt, cause: String(error) }, 'what EVENTS must have first has no answer yet');
      }
      await pause(clock, attempt);
    }
    this.lastTurns.clear(); // An owner may have given up turns that EVENTS did not take in time (trimmer.F1).
    return undefined;
  }

  /** Publishes what a sealed journal still owes, and ends its event log. @throws when told to stop before that */
  tail(row: JournalRow): Promise<number> {
    return this.publish(row, 'seal', this.untilOver());
  }

  // -------------------------------------------------------------- machinery

  private untilOver(): () => boolean {
    const { clock, stopped } = this.parts;
    const { rechecks } = this;
    const endsAt = clock.monotonic() + LOOK_MS;
    return () => stopped() || this.rechecks !== rechecks || clock.monotonic() > endsAt;
  }

  /** Of a journal that has gone on since, nothing beyond what is named. One that retention has emptied is left out. */
  private async named(waiting: JournalId, joins: readonly Join[]): Promise<EventsBefore> {
    const upTo = new Map<JournalId, number>();
    for (const [journal, n] of joins.flatMap(({ after }) => after)) {
      const most = n === 'seal' ? Number.POSITIVE_INFINITY : n;
      if (journal !== waiting) upTo.set(journal, Math.max(most, upTo.get(journal) ?? 0));
    }
    const found = [...upTo].map(async ([journal, n]) => {
      const last = await this.parts.events.last(journal);
      return last === undefined ? [] : [[journal, Math.min(n, last.n)] as const];
    });
    return (await Promise.all(found)).flat();
  }

  private async missing(waiting: JournalId, joins: readonly Join[]): Promise<Missing[]> {
    const rows = new Map((await this.parts.snapshots.journals()).map((row) => [row.journal, row]));
    const missing: Missing[] = [];
    const seen = new Set<string>();
    const look = async (named: readonly Join[]): Promise<void> => {
      for (const [journal, upTo] of named.flatMap(({ after }) => after)) {
        const key = `${journal} ${upTo}`;
        const row = rows.get(journal); // event-order.O6
        if (row === undefined || journal === waiting || seen.has(key)) continue;
        seen.add(key);
        const rest = await this.isOut(row, upTo);
        if (rest === undefined) missing.push({ row, upTo });
        else await look(rest); // event-order.O4
      }
    };
    await look(joins);
    return missing;
  }

  /** @returns the joins that must be out as well (event-order.O4); undefined when events are missing */
  private async isOut(row: JournalRow, upTo: Upto): Promise<readonly Join[] | undefined> {
    const { journal, publishedN } = row;
    const last = await this.parts.events.last(journal);
    if (last?.sealed === true) return [];
    if (upTo === 'seal') return undefined;
    if (upTo === 0 || (last !== undefined && last.n >= upTo)) return [];
    const turn = await this.lastTurn(journal, upTo);
    if ((last?.n ?? 0) >= turn.n) return turn.joins;
    // Retention may have emptied the event log (hazard 11). What is young was lost by the broker.
    if (last !== undefined || publishedN < turn.n) return undefined;
    const { clock, events } = this.parts;
    return isLost(turn.at, clock.now(), await events.keptSinceMs()) ? undefined : turn.joins;
  }

  /** @throws when n is not to be seen yet */
  private async lastTurn(journal: JournalId, upTo: number): Promise<LastTurn> {
    const key = `${journal} ${upTo}`;
    const known = this.lastTurns.get(key);
    if (known !== undefined) return known;
    const { log, source } = this.parts;
    let found: LastTurn = { n: 0, at: 0, joins: [] };
    for (let after: Position = 0, isComplete = false; !isComplete; ) {
      const turns = await turnsAfter({ log, journal, source }, after);
      if (turns.length === 0) throw new Error(`journal ${journal} does not show turn ${upTo}, which its release names`);
      for (const turn of turns) {
        isComplete ||= turn === 'seal' || turn.n >= upTo;
        if (turn === 'seal' || turn.n > upTo) break;
        after = turn.position;
        const { hasEvents, n, at, joins } = turn;
        found = hasEvents ? { n, at, joins: [] } : { ...found, joins: [...found.joins, ...joins] };
      }
    }
    if (this.lastTurns.size >= REMEMBERED) this.lastTurns.clear();
    this.lastTurns.set(key, found);
    return found;
  }

  /** event-order.O3: whether anyone may publish the journal's events. */
  private isOurs(row: JournalRow, upTo: Upto): boolean {
    const { journal, isGone } = this.parts;
    return upTo === 'seal' || row.closed || (row.journal !== journal && isGone(row));
  }

  private async publish(row: JournalRow, upTo: Upto, stopped: () => boolean): Promise<number> {
    const { log, clock, journal: by } = this.parts;
    const { journal, publishedN, closed } = row;
    if (upTo !== 'seal' && !closed && !(await sealJournal({ log, clock, journal, by, stopped }))) {
      throw new Error(`sealing journal ${journal} was stopped`);
    }
    return publishTail({
      ...this.parts,
      ...{ journal, publishedN, stopped },
      upTo: upTo === 'seal' ? Number.POSITIVE_INFINITY : upTo,
      before: (joins) => this.before(journal, joins),
      rechecks: () => this.rechecks,
    });
  }
}
