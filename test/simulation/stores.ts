/**
 * The services that outlive every process, as the product's in-memory implementations. Wrappers check each effect when
 * it lands, behind all faults.
 */

import type { JournalId, OrderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { decodeRecord, journalLog } from '../../actors/node/record.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Log } from '../../actors/ports/log.js';
import type { Payments } from '../../actors/ports/payments.js';
import type { Queries } from '../../actors/ports/queries.js';
import { contains, type Mark, type Statement } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { type MemoryEvents, memoryEvents } from '../../bus/events/memory-events.js';
import { memoryLog } from '../../bus/journal/memory-log.js';
import { forgetfulPayments, mockPayments } from '../../bus/payments/mock-provider.js';
import { memoryMembers } from '../../bus/placement/memory-members.js';
import { memorySnapshots } from '../../storage/memory/memory-snapshots.js';
import type { Timeline } from './clock.js';
import type { Counters } from './counters.js';
import { hostileCache } from './hostile-cache.js';
import { Provider } from './provider.js';
import { holdsNoMoreThanItHas } from './stock-truth.js';
import { Truth } from './truth.js';
import type { Verdict } from './verdict.js';

export interface Shape {
  readonly partitions: number;
  readonly successRate: number;
  readonly paymentLatencyMs: number;
  /** The share of captures and refunds that the provider declines for good. */
  readonly stubbornness: number;
}

export class Stores {
  readonly truth: Truth;
  readonly log: Log;
  private readonly plainLog: Log;
  readonly snapshots: Snapshots;
  readonly queries: Queries;
  readonly cache = hostileCache();
  readonly events: EventLog;
  readonly payments: Payments;
  readonly provider: Provider;
  readonly memoryEvents: MemoryEvents = memoryEvents(Number.NEGATIVE_INFINITY);
  /** The last version on EVENTS, by `<kind>/<id>`. */
  readonly published = new Map<string, number>();
  publishedEvents = 0;
  readonly members = memoryMembers();
  /** When the heartbeats of each node have landed, the last of them. What the broker forgot shows nobody that a node lives. */
  readonly heartbeatsAtMs = new Map<string, readonly number[]>();
  /** How often the broker has lost messages: what was under way to it then never arrives. */
  lossesOfEvents = 0;
  private readonly rows = new Map<string, Mark & { readonly version: number }>();
  private readonly epochs = new Map<number, number>();

  constructor(
    private readonly timeline: Timeline,
    private readonly verdict: Verdict,
    counters: Counters,
    private readonly shape: Shape,
  ) {
    this.truth = new Truth(verdict, counters, shape.partitions);
    const log = memoryLog({ pageRecords: 7 });
    this.plainLog = log;
    this.log = this.truth.watch({
      ...log,
      append: async (name, after, record, options) => {
        const answer = await log.append(name, after, record, options);
        timeline.tell(() => `${name} ${answer.kind}: ${record}`);
        return answer;
      },
      trim: async (name, upTo) => {
        timeline.tell(() => `${name} is trimmed up to ${upTo}`);
        await log.trim(name, upTo);
      },
    });
    const { snapshots, queries } = memorySnapshots();
    this.snapshots = this.watchRows(snapshots);
    this.queries = queries;
    this.events = this.watchEvents(this.memoryEvents);
    const { successRate, paymentLatencyMs: latencyMs, stubbornness } = shape;
    this.provider = new Provider(stubbornness);
    const clock = timeline.clockOf(undefined, () => 0);
    this.payments =
      latencyMs === 0
        ? forgetfulPayments(successRate)
        : mockPayments({ successRate, latencyMs, ledger: this.provider, clock });
  }

  /**
   * The broker loses the acknowledged end of EVENTS: the last messages of all journals together. It loses none of a
   * journal that is forgotten: those are synced long since.
   * @param mayEmpty without it each event log keeps a message: where clocks jump, nobody can tell a log that was emptied
   * by retention (hazard 11). @returns how many messages
   */
  async forgetEvents(most: number, mayEmpty: boolean): Promise<number> {
    const { memoryEvents } = this;
    const rows = new Set((await this.snapshots.journals()).map(({ journal }) => journal));
    const all = [...memoryEvents.journals].flatMap((journal) =>
      memoryEvents.messages(journal).map((message, i) => ({ journal, i, ...message })),
    );
    let count = 0;
    for (const { journal, i, batch } of all.sort((a, b) => b.position - a.position).slice(0, most)) {
      if (!rows.has(journal) || (i === 0 && !mayEmpty)) break;
      for (const { name, version } of eventsIn(batch).reverse()) {
        this.published.set(name, version - 1);
        this.publishedEvents--;
      }
      memoryEvents.keep(journal, 0, i);
      count++;
    }
    if (count > 0) this.lossesOfEvents++;
    return count;
  }

  /** A node has put a heartbeat. */
  heard(node: string): void {
    const before = this.heartbeatsAtMs.get(node) ?? [];
    this.heartbeatsAtMs.set(node, [...before.slice(-9), this.timeline.nowMs]);
  }

  loseHeartbeats(): void {
    this.members.lose();
    this.heartbeatsAtMs.clear();
  }

  private watchRows(snapshots: Snapshots): Snapshots {
    const { ownership } = this.truth;
    return {
      ...snapshots,
      async openJournal(journal, node) {
        ownership.opened(journal, node);
        await snapshots.openJournal(journal, node);
      },
      forgetJournal: async (journal) => {
        this.timeline.tell(() => `the row of ${journal} is forgotten`);
        await snapshots.forgetJournal(journal);
      },
      closeJournals: async (journals) => {
        this.timeline.tell(() => `the rows of ${journals} are closed`);
        for (const journal of journals) ownership.closed(journal);
        await snapshots.closeJournals(journals);
      },
      write: async (journal, statement) => {
        const answer = await snapshots.write(journal, statement);
        this.timeline.tell(() => `${journal} ${answer} ${JSON.stringify(statement)}`);
        if (answer === 'written' && statement.kind === 'last') ownership.folded(journal, statement.to.n);
        if (answer === 'written') await this.checkRows(snapshots, statement);
        return answer;
      },
    };
  }

  private async checkRows(snapshots: Snapshots, statement: Statement): Promise<void> {
    const { partitions } = this.shape;
    if (statement.kind === 'orders') {
      const ids = statement.rows.map(({ state }) => state.id);
      for (const { state, ...row } of (await snapshots.lookUp(ids, [])).orders) {
        this.row(`order/${state.id}`, row);
        this.isWhole(`order/${state.id}`, row, state, this.truth.orders.get(state.id));
      }
    } else if (statement.kind === 'products') {
      const all = Array.from({ length: partitions }, (_, partition) => partition);
      const none: OrderId[] = [];
      for (const { state, ...row } of (await snapshots.load(all, partitions, none)).products) {
        holdsNoMoreThanItHas(this.verdict, state, 'in its row');
        this.row(`product/${state.id}`, row);
        this.isWhole(`product/${state.id}`, row, state, this.truth.products.get(state.id));
      }
    } else if (statement.kind === 'last') {
      for (const { partition, epoch } of await snapshots.partitionMarks()) {
        if (epoch < (this.epochs.get(partition) ?? 0))
          this.verdict.fail('rows never go back', `partition ${partition} at epoch ${epoch}`);
        this.epochs.set(partition, epoch);
      }
    }
  }

  private row(name: string, row: Mark & { readonly version: number }): void {
    const before = this.rows.get(name);
    if (before !== undefined && (!contains(row, before) || row.version < before.version)) {
      this.verdict.fail('rows never go back', `${name} was at ${at(before)}, and is at ${at(row)}`);
    }
    if (row.version > (this.truth.versions.get(name) ?? 0)) {
      this.verdict.fail('nothing leaves before its append', `${name} is stored at ${at(row)}, which is not appended`);
    }
    this.rows.set(name, row);
  }

  /** A row equals the fold of the journal up to the row's version. */
  private isWhole(
    name: string,
    { version }: { readonly version: number },
    stored: object,
    appended: object | undefined,
  ): void {
    if (version !== this.truth.versions.get(name) || JSON.stringify(stored) === JSON.stringify(appended)) return;
    this.verdict.fail('a 2xx is durable', `${name} is not stored as it was appended: ${JSON.stringify(stored)}`);
  }

  /** The journal does not have the next turn any more, so a publisher cannot tell it again (publisher.E7). */
  private async hasLostAfter(journal: JournalId, n: number): Promise<boolean> {
    const name = journalLog(journal);
    const [first] = (await this.plainLog.read(name, 0)).map(({ record }) => decodeRecord(record, name));
    return first?.kind !== 'turn' || first.n > n + 1;
  }

  private watchEvents(events: EventLog): EventLog {
    return {
      keptSinceMs: () => events.keptSinceMs(),
      last: (journal) => events.last(journal),
      publish: async (journal, after, n, batch, place) => {
        const last = await events.last(journal);
        const sealed = last?.sealed === true;
        const answer = await events.publish(journal, after, n, batch, place);
        this.timeline.note(`EVENTS of ${journal}: ${n} after ${after} is ${answer.kind}, ${batch.length} characters`);
        if (answer.kind !== 'appended') return answer;
        if (sealed) this.verdict.fail('each event once, in order', `a batch after the seal of ${journal}`);
        const isGap = last !== undefined && place.previous > last.n && place.previous < n;
        const mayName = isGap ? await this.hasLostAfter(journal, last.n) : place.previous === last?.n;
        if (last !== undefined && !mayName)
          this.verdict.fail(
            'each event once, in order',
            `${journal} ${n} names ${place.previous}, not ${last.n}, before it`,
          );
        for (const [other, upTo] of place.after ?? []) {
          const there = await events.last(other);
          if ((there?.n ?? 0) < upTo)
            this.verdict.fail(
              'each event once, in order',
              `${journal} ${n} is before ${other} ${upTo}, which it names`,
            );
        }
        if (Buffer.byteLength(batch) > limits.recordBytes) this.verdict.fail('bounded', `a batch of ${batch.length}`);
        for (const { name, version } of eventsIn(batch)) {
          const before = this.published.get(name) ?? 0;
          if (version !== before + 1)
            this.verdict.fail('each event once, in order', `${name} ${version} follows ${before} on EVENTS`);
          if (version > (this.truth.versions.get(name) ?? 0))
            this.verdict.fail('nothing leaves before its append', `${name} ${version} is on EVENTS`);
          this.published.set(name, version);
          this.publishedEvents++;
        }
        return answer;
      },
    };
  }
}

const at = ({ epoch, n, version }: Mark & { readonly version: number }): string =>
  `epoch ${epoch}, n ${n}, version ${version}`;

function eventsIn(batch: string): { name: string; version: number }[] {
  const events = JSON.parse(batch) as { id: string }[];
  return events.map(({ id }) => {
    const cut = id.lastIndexOf('/');
    return { name: id.slice(0, cut), version: Number(id.slice(cut + 1)) };
  });
}
