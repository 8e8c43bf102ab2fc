/**
 * The claims log as this process sees it: which node owns which partition.
 *
 *  G1. A refresh reads the log in a read that begins after the call. One read serves all who wait.
 *  G2. The map only grows newer. A log that ends before the record that this process read last has lost records: that
 *      is an error, and the map stays as it was.
 *  G3. A change is appended by compare-and-set at the end that was read. It is made anew from each newer map, until it is
 *      stored or nothing is left to change (claims.K3).
 *  G4. A chain has no holes. Each record names the one before it: a last record that follows the known one is all there is
 *      to read. If records were trimmed before this process read them, it forgets the chains that it knew:
 *      a release may be among those records, and a released journal would be taken for a sealed one.
 */
import type { JournalId, NodeId } from '../../actors/ids.js';
import { foldClaims, namesIn, nobody, type Ownership } from '../../actors/node/claims.js';
import { LostRecords } from '../../actors/node/lost-records.js';
import {
  CLAIMS_LOG,
  type Claim,
  type ClaimsRecord,
  decodeRecord,
  encodeClaims,
  UnreadableRecord,
} from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { claimsIn, readFrom } from '../journal/log-reader.js';
import { pause } from '../retry.js';
import { SharedCall } from '../shared-call.js';

const EVERY_MS = 1_000;

interface MapParts {
  readonly partitions: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when a change of this process is stored. */
  readonly onStored?: () => void;
}

interface Change {
  readonly by: JournalId;
  /** @returns the map to store; undefined when nothing is left to change. */
  readonly make: (ownership: Ownership) => readonly (Claim | null)[] | undefined;
  /** The node's name for people. */
  readonly name?: { readonly node: NodeId; readonly name: string };
  /** Asked after each read and before each append; false ends the attempts. */
  readonly mayAppend?: () => Promise<boolean>;
  /** Ends the attempts. */
  readonly stopped: () => boolean;
  /** The claims were read just now: the first attempt is made of the map as it is. */
  readonly isRead?: boolean;
}

/** A record of the claims log that was the last one. */
interface End {
  readonly position: Position;
  readonly id: string;
}

interface Reading {
  readonly records: readonly ClaimsRecord[];
  readonly end: End | undefined;
  /** None of the records was trimmed before it was read. */
  readonly isWhole: boolean;
}

export class OwnershipMap {
  /** As of the last refresh. */
  ownership: Ownership;
  private last: End | undefined;
  private readonly reading = new SharedCall(() => this.read());
  private readonly listeners = new Set<(ownership: Ownership) => void>();
  /** When this process first saw each partition's release, by its epoch; running time. */
  private readonly releases = new Map<number, { readonly epoch: number; readonly sinceMs: number }>();
  private isWatching = false;

  constructor(private readonly parts: MapParts) {
    this.ownership = nobody(parts.partitions);
  }

  /** The owner of a partition, unless it is released. */
  ownerOf(partition: number): Claim | undefined {
    const claim = this.ownership.map[partition];
    return claim == null || claim.released !== undefined ? undefined : claim;
  }

  /** How long this process has known that the partition is released. */
  releasedForMs(partition: number): number {
    const release = this.releases.get(partition);
    return release === undefined ? 0 : this.parts.clock.monotonic() - release.sinceMs;
  }

  /** ownership-map.G1. @throws LostRecords, UnreadableRecord, or an error of the log */
  refresh(): Promise<Ownership> {
    return this.reading.ask();
  }

  /** Calls the listener with each newer map. @returns a function that ends this */
  watch(listener: (ownership: Ownership) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Refreshes each second from now on. */
  start(): void {
    if (this.isWatching) return;
    this.isWatching = true;
    this.again();
  }

  stop(): void {
    this.isWatching = false;
  }

  /** ownership-map.G3. @returns false when it ended before that. @throws LostRecords, UnreadableRecord */
  async change({ by, make, name, mayAppend, stopped, isRead = false }: Change): Promise<boolean> {
    const { log, clock } = this.parts;
    for (let attempt = 0; !stopped(); await pause(clock, attempt++)) {
      try {
        if (attempt > 0 || !isRead) await this.refresh();
        const before = this.ownership; // Of one moment with `last`, which another refresh may have moved since.
        const map = make(before);
        if (map === undefined) return true;
        const { position: after, id: previous } = this.last ?? { position: 0, id: undefined };
        if (mayAppend !== undefined && !(await mayAppend())) return false;
        const names = namesIn(map, { ...before.names, ...(name && { [name.node]: name.name }) });
        const id = clock.id();
        const content = { id, by, at: clock.now(), map, names, ...(previous !== undefined && { previous }) };
        const answer = await log.append(CLAIMS_LOG, after, encodeClaims(content), { urgent: true });
        if (answer.kind !== 'appended') continue;
        // A refresh meanwhile may have read it already.
        if (answer.position > (this.last?.position ?? 0)) {
          this.last = { position: answer.position, id };
          this.take([{ kind: 'claims', ...content }]);
        }
        this.parts.onStored?.();
        return true;
      } catch (error) {
        if (error instanceof LostRecords || error instanceof UnreadableRecord) throw error;
        this.parts.logger.warn({ cause: String(error) }, 'a claim or release has no answer: reading the claims again');
      }
    }
    return false;
  }

  // -------------------------------------------------------------- machinery

  private again(): void {
    if (!this.isWatching) return;
    this.parts.clock.after(EVERY_MS * (0.75 + this.parts.clock.random() / 4), () => {
      if (!this.isWatching) return;
      this.refresh().then(
        () => this.again(),
        () => this.again(), // Whoever needs the map meets the error.
      );
    });
  }

  private async read(): Promise<Ownership> {
    const known = this.last;
    let found = (known && (await this.readEnd(known))) ?? (await this.readAfter(known));
    const from = found.isWhole ? undefined : nobody(this.parts.partitions); // ownership-map.G4
    while (!found.isWhole) found = await this.readAfter(undefined);
    const { records, end } = found;
    if (end === undefined || end.position <= (this.last?.position ?? 0)) return this.ownership;
    this.last = end;
    this.take(records, from);
    return this.ownership;
  }

  /**
   * One request tells all, unless more than one record has come.
   * @returns undefined when it does not
   */
  private async readEnd(known: End): Promise<Reading | undefined> {
    const entry = await this.parts.log.last(CLAIMS_LOG);
    if (entry === undefined || entry.position < known.position) throw rolledBack(known.id);
    const record = claimsIn(decodeRecord(entry.record, `${CLAIMS_LOG} at ${entry.position}`), entry.position);
    const end = { position: entry.position, id: record.id };
    if (record.id === known.id) return { records: [], end, isWhole: true };
    return record.previous === known.id ? { records: [record], end, isWhole: true } : undefined;
  }

  /** @param known the last record that was read before */
  private async readAfter(known: End | undefined): Promise<Reading> {
    const { log } = this.parts;
    const records: ClaimsRecord[] = [];
    let first: Position | undefined;
    let end: End | undefined;
    // The last known record is read again: its id shows that the log has not lost it (hazard 8).
    const after = Math.max(0, (known?.position ?? 0) - 1);
    for await (const { position, record: stored } of readFrom(log, CLAIMS_LOG, after)) {
      const record = claimsIn(stored, position);
      if (position === known?.position && record.id !== known.id) throw rolledBack(known.id);
      if (position !== known?.position) records.push(record);
      first ??= position;
      end = { position, id: record.id };
    }
    if (first === undefined && known !== undefined) throw rolledBack(known.id);
    if (first === undefined || records.length === 0) return { records, end, isWhole: true };
    if (known !== undefined && first !== known.position) return { records, end, isWhole: false };
    // Whoever has trimmed meanwhile has trimmed the first record too.
    const [still] = await log.read(CLAIMS_LOG, first - 1);
    return { records, end, isWhole: still?.position === first };
  }

  private take(records: readonly ClaimsRecord[], from: Ownership = this.ownership): void {
    const { partitions, clock } = this.parts;
    this.ownership = foldClaims(records, partitions, from);
    for (const [partition, claim] of this.ownership.map.entries()) {
      if (claim?.released === undefined) this.releases.delete(partition);
      else if (this.releases.get(partition)?.epoch !== claim.epoch) {
        this.releases.set(partition, { epoch: claim.epoch, sinceMs: clock.monotonic() });
      }
    }
    for (const listener of this.listeners) listener(this.ownership);
  }
}

const rolledBack = (id: string): LostRecords =>
  new LostRecords(`the claims log ends before its record ${id}, which this node has read: it was rolled back`);
