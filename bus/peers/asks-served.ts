/**
 * Serves the requests that edges of other nodes send to this incarnation.
 *
 *  S1. A request is `fresh` only at the partition's present epoch, and above the highest number that its edge ever sent
 *      for the partition at that epoch (hazard 6). Everything else may be a late or repeated copy, and its id is looked up.
 *  S2. A request that is not answered at once shows a sign of life every limits.peerSignMs. So silence means that the
 *      node, the way to it, or the answer is lost, and the edge asks again.
 *  S3. A request that arrives again while it is worked on is not begun a second time.
 */
import { limits } from '../../actors/limits.js';
import type { Caller, NoAnswer } from '../../actors/ports/owners.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { answerOf } from './asks-made.js';
import { type Answer, type Ask, answerText, isCommand } from './messages.js';
import type { Outbox } from './outbox.js';
import type { LocalOwner } from './owned-partitions.js';
import type { PeerAddress } from './peer-link.js';

interface AsksServedParts {
  readonly local: LocalOwner;
  readonly outbox: (to: PeerAddress) => Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Open {
  readonly from: PeerAddress;
  readonly id: number;
  readonly caller: Caller;
}

export class AsksServed {
  private readonly open = new Map<string, Open>();
  private readonly newness = new Newness();
  private isSigning = false;
  private isOver = false;

  constructor(private readonly parts: AsksServedParts) {}

  get size(): number {
    return this.open.size;
  }

  take(from: PeerAddress, asks: readonly Ask[]): void {
    for (const ask of asks) this.serve(from, ask);
  }

  /** The clients are gone, or their edge asks somebody else: nobody waits for these answers. */
  cancel(from: PeerAddress, ids: readonly number[]): void {
    for (const id of ids) {
      const key = keyOf(from, id);
      this.open.get(key)?.caller.hangUp?.();
      this.open.delete(key);
    }
  }

  stop(): void {
    this.isOver = true;
    this.open.clear();
  }

  // -------------------------------------------------------------- machinery

  private serve(from: PeerAddress, ask: Ask): void {
    const { local, outbox, logger } = this.parts;
    const { id, partition, patienceMs } = ask;
    const epoch = local.epochOf(partition);
    const isNew = this.newness.isNew(from, ask, epoch); // Each ask is counted, also one that is not believed.
    const key = keyOf(from, id);
    if (this.open.has(key)) return outbox(from).put('got', String(id)); // asks-served.S3
    const answer = (said: Answer) => outbox(from).put('answers', answerText(id, said));
    if (this.isOver || epoch === undefined) return answer(unanswered(ask, NOT_MINE));
    if (this.open.size >= limits.waitingRequests) return answer(unanswered(ask, FULL));
    const mine: Open = { from, id, caller: { hangUp: undefined } };
    this.open.set(key, mine);
    this.signLater();
    answerOf(local.owners, ask, ask.fresh === true && isNew, patienceMs, mine.caller).then(
      (said) => {
        if (this.open.get(key) !== mine) return;
        this.open.delete(key);
        answer(said);
      },
      (error) => {
        logger.error({ err: error, kind: ask.kind }, 'broken code: a request of another node was not answered');
        if (this.open.get(key) === mine) this.open.delete(key);
      },
    );
  }

  /** asks-served.S2 */
  private signLater(): void {
    if (this.isSigning || this.open.size === 0) return;
    this.isSigning = true;
    this.parts.clock.after(limits.peerSignMs, () => {
      this.isSigning = false;
      for (const { from, id } of this.open.values()) this.parts.outbox(from).put('got', String(id));
      this.signLater();
    });
  }
}

const keyOf = (from: PeerAddress, id: number): string => `${from} ${id}`;

const NOT_MINE: NoAnswer = { kind: 'unavailable', why: 'this node does not own the partition', moved: true };
const FULL: NoAnswer = { kind: 'unavailable', why: 'too many clients are waiting' };

const unanswered = ({ kind }: Ask, said: NoAnswer): Answer => (isCommand(kind) ? { reply: said } : { failed: said });

/** asks-served.S1: the highest number of each edge, by partition. */
class Newness {
  private readonly edges = new Map<PeerAddress, Map<number, { epoch: number; seq: number }>>();

  isNew(from: PeerAddress, { partition, epoch, seq }: Ask, present: number | undefined): boolean {
    if (present === undefined || epoch !== present) return false;
    const edge = this.edges.get(from) ?? new Map<number, { epoch: number; seq: number }>();
    if (edge.size === 0) {
      if (this.edges.size >= limits.peerEdges) return false;
      this.edges.set(from, edge);
    }
    const last = edge.get(partition);
    if (last === undefined || last.epoch < epoch) {
      edge.set(partition, { epoch, seq });
      return true;
    }
    if (seq <= last.seq) return false;
    last.seq = seq;
    return true;
  }
}
