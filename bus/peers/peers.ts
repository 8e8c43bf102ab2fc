/**
 * This process among the other nodes: where it listens, what it sends them, and who handles what arrives.
 *
 * It listens at two addresses. Its edge's is for answers; it is drawn at the start of the process, so an edge without a
 * running incarnation works too. The incarnation's journal is for letters and requests. With the incarnation the
 * listening ends, so who writes to a dead incarnation hears that nobody is there.
 */
import type { JournalId } from '../../actors/ids.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { AsksMade } from './asks-made.js';
import { AsksServed } from './asks-served.js';
import { CutMessages } from './cut-messages.js';
import { type PeerMessage, readMessage } from './messages.js';
import { Outbox } from './outbox.js';
import type { LocalOwner, OwnershipView } from './owned-partitions.js';
import type { PeerAddress, PeerLink } from './peer-link.js';

/**
 * Messages wait for so many rounds of the event loop, as a turn does (driver.ts): fuller messages cost less. All outboxes
 * leave together, so that the socket is written once.
 */
const ROUNDS = 3;
/** Addresses with an outbox. Each incarnation and each edge has one address. */
const MOST_OUTBOXES = 1_000;

interface PeersParts {
  readonly link: PeerLink;
  readonly ownership: OwnershipView;
  /** NODE_NAME, for people who read along. */
  readonly name: string;
  /** Called when a message reached nobody there: a hint, and no evidence. */
  readonly onNobody?: (at: PeerAddress) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Peers {
  /** Where the answers to this process's edge go. */
  readonly edge: PeerAddress;
  readonly asks: AsksMade;
  private readonly outboxes = new Map<PeerAddress, Outbox>();
  private readonly cut = new CutMessages();
  private cuts = 0;
  /** What leaves with the next round. */
  private leaving: (() => void)[] = [];
  private running: { readonly local: LocalOwner; readonly served: AsksServed; readonly deafen: () => void } | undefined;
  private readonly ends: (() => void)[];

  constructor(private readonly parts: PeersParts) {
    const { link, ownership, clock, logger } = parts;
    this.edge = clock.id();
    this.asks = new AsksMade({
      ...{ ownership, clock, logger },
      local: () => this.local,
      outbox: (to) => this.outbox(to),
    });
    this.ends = [link.listen(this.edge, (text) => this.take(text)), ownership.watch(() => this.asks.ownersChanged())];
  }

  /** The incarnation that runs in this process. */
  get local(): LocalOwner | undefined {
    return this.running?.local;
  }

  /** From now on this incarnation is asked; undefined: none runs. */
  serve(local: LocalOwner | undefined): void {
    this.running?.deafen();
    this.running?.served.stop();
    this.running = undefined;
    if (local === undefined) return;
    const { link, clock, logger } = this.parts;
    const served = new AsksServed({ local, clock, logger, outbox: (to) => this.outbox(to) });
    this.running = { local, served, deafen: link.listen(local.journal, (text) => this.take(text)) };
    this.asks.ownersChanged();
  }

  outbox(to: PeerAddress): Outbox {
    let outbox = this.outboxes.get(to);
    if (outbox !== undefined) return outbox;
    const { link, name, onNobody } = this.parts;
    const nobody = () => {
      this.asks.nobodyAt(to);
      onNobody?.(to);
    };
    outbox = new Outbox({
      ...{ name, from: this.edge },
      flushSoon: (flush) => this.flushSoon(flush),
      line: link.to(to, nobody),
      mostBytes: () => link.mostBytes,
      nextCut: () => ++this.cuts,
    });
    this.outboxes.set(to, outbox);
    for (const [oldest, old] of this.outboxes) {
      if (this.outboxes.size <= MOST_OUTBOXES) break;
      old.close();
      this.outboxes.delete(oldest);
    }
    return outbox;
  }

  /** Asks another node to write its rows soon, up to a position of its journal. A hint: it may be lost. */
  hurryFlush(journal: JournalId, position: number): void {
    this.outbox(journal).put('awaited', String(position));
  }

  stop(): void {
    this.serve(undefined);
    this.asks.stop();
    for (const end of this.ends) end();
    for (const outbox of this.outboxes.values()) outbox.close();
    this.outboxes.clear();
  }

  // -------------------------------------------------------------- machinery

  private flushSoon(flush: () => void): void {
    this.leaving.push(flush);
    if (this.leaving.length === 1) this.gather(ROUNDS);
  }

  private gather(rounds: number): void {
    this.parts.clock.soon(() => {
      if (rounds > 1) return this.gather(rounds - 1);
      for (const flush of this.leaving.splice(0)) flush();
    });
  }

  /** Whoever reaches the broker may send anything: nothing that arrives may end the process. */
  private take(text: string): void {
    try {
      const message = readMessage(text);
      if (!('cut' in message)) return this.handle(message);
      const whole = this.cut.take(message);
      if (whole !== undefined) this.take(whole);
    } catch (error) {
      this.parts.logger.warn({ cause: String(error) }, 'a message of another node was dropped: it was not understood');
    }
  }

  private handle(message: PeerMessage): void {
    const { from, letters, confirmations, asks, got, answers, cancels, awaited } = message;
    if (got !== undefined) this.asks.got(got);
    if (answers !== undefined) this.asks.answered(answers);
    if (this.running === undefined) return; // Who sent the rest repeats it.
    const { local, served } = this.running;
    if (confirmations !== undefined) for (const each of confirmations) local.receiver.confirmed(each);
    if (letters !== undefined) local.receiver.letters(letters);
    if (cancels !== undefined) served.cancel(from, cancels);
    if (asks !== undefined) served.take(from, asks);
    if (awaited !== undefined) for (const each of awaited) if (Number.isSafeInteger(each)) local.hurryFlush(each);
  }
}
