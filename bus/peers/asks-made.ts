/**
 * The requests of this process's edge that do not find their owner here: each goes to the node that owns its partition,
 * and on to the next owner while the partition moves.
 *
 *  A1. A request keeps its id wherever it is asked. Only its first asking may be `fresh` (hazard 6).
 *  A2. After "moved", after "nobody listens", and after limits.peerSilenceMs without a sign of life, the claims are read
 *      and the owner is asked again. A partition without an owner is waited for.
 *  A3. All of it ends with the client's patience, also what this process's own incarnation was asked. Then nobody knows
 *      whether the request had its effect, unless it was never sent: the answer says which.
 *  A4. Each other node, and the waiting for owners, has a limit of its own. Past it the answer is "not now" at once, so
 *      one dead node stops no request to the others.
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Caller, NoAnswer, Owners } from '../../actors/ports/owners.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { noAnswer, Unavailable } from '../../actors/unavailable.js';
import { pauseMs } from '../retry.js';
import { type Answer, type AnswerTo, askText, bodyText, isCommand, type Wanted } from './messages.js';
import type { Outbox } from './outbox.js';
import type { LocalOwner, OwnershipView } from './owned-partitions.js';
import type { PeerAddress } from './peer-link.js';

const SWEEP_MS = 50;
const LONGEST_PAUSE_MS = 250;
const STOPPED = 'This node has stopped.';

interface AsksMadeParts {
  readonly ownership: OwnershipView;
  readonly local: () => LocalOwner | undefined;
  readonly outbox: (to: PeerAddress) => Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `parked`: waits for an owner. `far`: another node was asked. `here`: this process's incarnation was asked. */
type Standing = 'parked' | 'far' | 'here';

interface Made {
  readonly id: number;
  readonly wanted: Wanted;
  readonly partition: number;
  readonly endsAtMs: number;
  readonly caller: Caller | undefined;
  readonly settle: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
  standing: Standing;
  isFresh: boolean;
  wasSent: boolean;
  attempt: number;
  /** The owner that was asked last, and the epoch. */
  journal: JournalId | undefined;
  epoch: number;
  /** When a parked request tries again, and when an owner on another node was silent for too long. */
  wakeAtMs: number;
  body: string | undefined;
}

export class AsksMade {
  private readonly all = new Map<number, Made>();
  private readonly peers = new Map<JournalId, { asks: number; bytes: number }>();
  private parked = 0;
  private lastId = 0;
  private lastSeq = 0;
  private isSweeping = false;
  private isOver = false;
  private reading: Promise<void> | undefined;

  constructor(private readonly parts: AsksMadeParts) {}

  get size(): number {
    return this.all.size;
  }

  /**
   * @param isFresh the request was not asked before, and is `fresh`
   * @returns the owner's answer, or NoAnswer
   */
  ask(wanted: Wanted, partition: number, patienceMs: number, isFresh: boolean, caller?: Caller): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const made: Made = {
        ...{ id: ++this.lastId, wanted, partition, isFresh, caller, settle: resolve, fail: reject },
        endsAtMs: this.parts.clock.monotonic() + patienceMs,
        ...{ standing: 'here', wasSent: false, attempt: 0, journal: undefined, epoch: 0, wakeAtMs: 0, body: undefined },
      };
      this.all.set(made.id, made);
      if (caller !== undefined) caller.hangUp = () => this.hangUp(made);
      this.advance(made);
      this.sweepLater();
    });
  }

  answered(answers: readonly AnswerTo[]): void {
    for (const { id, ...answer } of answers) {
      const made = this.all.get(id);
      if (made === undefined) continue;
      // A "moved" may be of an earlier asking. Then this one is asked once more for nothing.
      if (!isNobodys(answer)) this.end(made, answer);
      else if (made.standing === 'far') this.park(made);
    }
  }

  /** The owners work on these. */
  got(ids: readonly number[]): void {
    const quietUntil = this.parts.clock.monotonic() + limits.peerSilenceMs;
    for (const id of ids) {
      const made = this.all.get(id);
      if (made?.standing === 'far') made.wakeAtMs = quietUntil;
    }
  }

  /** Nobody listens for this incarnation: it is gone, or its broker is. */
  nobodyAt(address: PeerAddress): void {
    for (const made of this.all.values()) if (made.standing === 'far' && made.journal === address) this.park(made);
  }

  /** Partitions may run now that did not a moment ago: whoever waits for one asks its owner again. */
  wake(): void {
    const { ownership } = this.parts;
    for (const made of this.all.values()) {
      if (made.standing === 'parked' && ownership.ownerOf(made.partition) !== undefined) this.advance(made);
    }
  }

  ownersChanged(): void {
    for (const made of this.all.values()) {
      const owner = this.parts.ownership.ownerOf(made.partition);
      if (owner === undefined || made.standing === 'here') continue;
      if (owner.journal === made.journal && owner.epoch === made.epoch) continue;
      if (made.standing === 'far') this.withdraw(made);
      this.advance(made);
    }
  }

  /** The process ends: nobody waits any longer. */
  stop(): void {
    this.isOver = true;
    for (const made of this.all.values()) this.giveUp(made, STOPPED);
  }

  // -------------------------------------------------------------- machinery

  /** asks-made.A2 */
  private advance(made: Made): void {
    this.leave(made);
    if (this.isOver) return this.giveUp(made, STOPPED);
    const owner = this.parts.ownership.ownerOf(made.partition);
    if (owner === undefined) return this.park(made);
    made.journal = owner.journal;
    made.epoch = owner.epoch;
    const local = this.parts.local();
    if (local?.journal === owner.journal) return this.askHere(made, local.owners);
    made.body ??= bodyText(made.wanted);
    const { body } = made;
    const peer = this.peers.get(owner.journal) ?? { asks: 0, bytes: 0 };
    if (peer.asks >= limits.peerAsks || peer.bytes + body.length > limits.peerAskBytes) {
      return this.giveUp(made, 'The node that owns this has too many unanswered requests of this node.');
    }
    peer.asks++;
    peer.bytes += body.length;
    this.peers.set(owner.journal, peer);
    made.standing = 'far';
    const { clock, outbox } = this.parts;
    const now = clock.monotonic();
    made.wakeAtMs = now + limits.peerSilenceMs;
    const { id, partition, epoch, wanted } = made;
    const head = { id, partition, epoch, seq: ++this.lastSeq, patienceMs: Math.max(0, Math.ceil(made.endsAtMs - now)) };
    const fresh = made.isFresh && !made.wasSent; // asks-made.A1
    made.wasSent = true;
    outbox(owner.journal).put('asks', askText(fresh ? { ...head, fresh } : head, wanted.kind, body));
  }

  private askHere(made: Made, owners: Owners): void {
    made.standing = 'here';
    const isFresh = made.isFresh && !made.wasSent;
    const { attempt, endsAtMs, wanted } = made;
    made.wasSent = true;
    answerOf(owners, wanted, isFresh, Math.max(0, endsAtMs - this.parts.clock.monotonic())).then(
      (answer) => {
        if (!this.all.has(made.id) || made.standing !== 'here' || made.attempt !== attempt) return;
        if (isNobodys(answer)) this.park(made);
        else this.end(made, answer);
      },
      (error) => {
        if (!this.all.delete(made.id)) return;
        made.fail(error);
      },
    );
  }

  private park(made: Made): void {
    this.leave(made);
    if (this.parked >= limits.parkedAsks) {
      return this.giveUp(made, 'Too many requests wait for partitions that no node owns at the moment.');
    }
    this.parked++;
    made.standing = 'parked';
    made.wakeAtMs = this.parts.clock.monotonic() + pauseMs(this.parts.clock, made.attempt++, LONGEST_PAUSE_MS);
    this.readOwners();
  }

  /** The counts no longer contain the request. */
  private leave(made: Made): void {
    const { standing, journal, body = '' } = made;
    made.standing = 'here';
    if (standing === 'parked') this.parked--;
    if (standing !== 'far' || journal === undefined) return;
    const peer = this.peers.get(journal);
    if (peer === undefined) return;
    peer.asks--;
    peer.bytes -= body.length;
    if (peer.asks === 0) this.peers.delete(journal);
  }

  private hangUp(made: Made): void {
    if (made.standing === 'far') this.withdraw(made);
    this.giveUp(made, 'the client is gone');
  }

  /** The owner that was asked need not work on it any more. */
  private withdraw({ id, journal }: Made): void {
    if (journal !== undefined) this.parts.outbox(journal).put('cancels', String(id));
  }

  private end(made: Made, answer: Answer): void {
    this.leave(made);
    if (made.caller !== undefined) made.caller.hangUp = undefined;
    if (this.all.delete(made.id)) made.settle(answer);
  }

  /** asks-made.A3 */
  private giveUp(made: Made, why: string): void {
    const reply: NoAnswer = made.wasSent
      ? { kind: 'unavailable', why: `partition ${made.partition}: ${why}` }
      : { kind: 'unavailable', why, absent: true };
    const { kind } = made.wanted;
    this.end(made, isCommand(kind) ? { reply } : { failed: reply });
  }

  private readOwners(): void {
    const { ownership, logger } = this.parts;
    this.reading ??= ownership
      .refresh()
      .catch((error) => logger.debug({ cause: String(error) }, 'the claims could not be read'))
      .then(() => {
        this.reading = undefined;
        this.ownersChanged();
      });
  }

  private sweepLater(): void {
    if (this.isSweeping || this.all.size === 0) return;
    this.isSweeping = true;
    this.parts.clock.after(SWEEP_MS, () => {
      this.isSweeping = false;
      this.sweep();
      this.sweepLater();
    });
  }

  private sweep(): void {
    const now = this.parts.clock.monotonic();
    for (const made of this.all.values()) {
      if (made.standing === 'parked') {
        if (now >= made.endsAtMs) this.giveUp(made, 'No node has taken over its partition in time.');
        else if (now >= made.wakeAtMs) this.advance(made);
      } else if (now >= made.endsAtMs + limits.peerGraceMs) {
        if (made.standing === 'far') this.withdraw(made);
        this.giveUp(made, 'its owner did not answer in time');
      } else if (made.standing === 'far' && now >= made.wakeAtMs) this.park(made);
    }
  }
}

/** Nobody decided the request: another owner may. */
function isNobodys(answer: Answer): boolean {
  const said = 'reply' in answer ? answer.reply : 'failed' in answer ? answer.failed : undefined;
  return said?.kind === 'unavailable' && (said.moved === true || said.absent === true);
}

/** Asks an incarnation of this process. */
export async function answerOf(
  owners: Owners,
  { kind, body }: Wanted,
  isFresh: boolean,
  waitMs: number,
  caller?: Caller,
): Promise<Answer> {
  try {
    switch (kind) {
      case 'place':
      case 'import':
        return { reply: await owners.place({ ...body, fresh: isFresh }, waitMs, caller) };
      case 'act':
        return { reply: await owners.act({ ...body, fresh: isFresh }, waitMs, caller) };
      case 'stock':
        return { reply: await owners.stock({ ...body, fresh: isFresh }, waitMs, caller) };
      case 'order':
        return { state: await owners.order(body) };
      case 'product':
        return { state: await owners.product(body) };
      case 'flushed':
        await owners.flushed(body);
        return { state: undefined };
    }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    const said = noAnswer(error);
    return isCommand(kind) ? { reply: said } : { failed: said };
  }
}
