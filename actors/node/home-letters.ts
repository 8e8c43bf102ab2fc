/**
 * Numbered letters whose receiver is a partition of this same node: since it was frozen, or since one of both joined.
 *
 * Law: such letters are handled at the beginning of a turn, before any other command, and so are the letters that they
 * lead to. After that the channel is empty for the rest of the turn, and new letters need no number. So a loaded channel
 * between neighbours always drains.
 * Nothing is sent for them, and they are confirmed by the append itself.
 */
import type { Confirmation, NumberedLetter } from '../ports/letters.js';
import type { OwnedPartition } from './owned-partition.js';
import type { World } from './world.js';

export class HomeLetters {
  /** Letters may wait for a partition of this node. */
  mayWait = false;

  constructor(
    private readonly world: World,
    private readonly deliverAtHome: boolean,
  ) {}

  /**
   * After a join: a letter that had its effect while its receiver was elsewhere is confirmed here, since nobody else
   * will. Call it while no append is under way: then all that was seen is appended (channels.C3).
   */
  joined(): void {
    this.look();
    if (!this.deliverAtHome) return;
    for (const from of this.world.owned.values()) {
      for (const to of this.world.owned.values()) from.channels.confirm(to.partition, to.channels.seen(from.partition));
    }
  }

  /** Looks for letters that wait: after a thaw. */
  look(): void {
    const owned = [...this.world.owned.values()];
    this.mayWait ||= owned.some((from) => owned.some((to) => isLoaded(from, to)));
  }

  /** @param decide handles one letter; 'full' when it must wait for the next turn */
  handle(decide: (letter: NumberedLetter) => unknown): void {
    if (!this.mayWait) return;
    this.mayWait = false;
    if (!this.deliverAtHome) return;
    for (const from of this.world.owned.values()) {
      for (const to of this.world.owned.values()) {
        if (!this.empty(from, to, decide)) return;
      }
    }
  }

  /** Handles a channel's letters, also those that their own cascades add. @returns false when the turn is full */
  private empty(from: OwnedPartition, to: OwnedPartition, decide: (letter: NumberedLetter) => unknown): boolean {
    while (isLoaded(from, to)) {
      const seen = to.channels.seen(from.partition);
      for (const letter of from.channels.after(to.partition, seen)) {
        if (decide(letter) !== 'full') continue;
        this.mayWait = true;
        return false;
      }
      if (to.channels.seen(from.partition) === seen)
        throw new Error(`letters ${from.partition}->${to.partition} are lost`);
    }
    return true;
  }

  /** @returns those of the appended letters that leave this node now. */
  leaving(letters: readonly NumberedLetter[], nowMs: number): NumberedLetter[] {
    const leaving: NumberedLetter[] = [];
    for (const letter of letters) this.world.mustOwn(letter.from).channels.appended(letter);
    const isDone = new Set<string>();
    for (const { from, to } of letters) {
      if (this.isHome(to)) this.mayWait = true;
      else if (!isDone.has(`${from}>${to}`)) {
        isDone.add(`${from}>${to}`);
        leaving.push(...this.world.mustOwn(from).channels.toSend(to, nowMs));
      }
    }
    return leaving;
  }

  /** Confirms the letters of this node's own partitions. @returns the confirmations for other nodes */
  confirmed(seen: ReadonlyMap<number, ReadonlyMap<number, number>>, nowMs: number): Confirmation[] {
    const leaving: Confirmation[] = [];
    for (const [to, moved] of seen) {
      for (const [from, upTo] of moved) {
        const home = this.deliverAtHome ? this.world.owned.get(from) : undefined;
        if (home === undefined) leaving.push({ from, to, upTo });
        else home.channels.confirm(to, upTo, nowMs);
      }
    }
    return leaving;
  }

  /** The letters that leave this node again (channels.C4). */
  toRepeat(nowMs: number, afterMs: number): NumberedLetter[] {
    const isAway = (to: number) => !this.isHome(to);
    const repeated = (owned: OwnedPartition) => owned.channels.toRepeat(nowMs, afterMs, isAway);
    return [...this.world.owned.values()].flatMap(repeated);
  }

  private isHome(to: number): boolean {
    return this.deliverAtHome && this.world.owned.has(to);
  }
}

const isLoaded = ({ partition, channels }: OwnedPartition, to: OwnedPartition): boolean =>
  !to.isFrozen && to.channels.seen(partition) < channels.last(to.partition);
