/**
 * Makes deliveries of what EVENTS tells.
 *
 * Law:
 *  I1. The cursor is stored with the deliveries of what it has passed (postgres-webhook-queue.W1). So each event becomes each
 *      webhook's delivery once, through any crash, and with two intakes at once.
 *  I2. Which webhooks want an event is asked after the event was read. So a webhook gets all that happens after its creation was
 *      answered.
 *  I3. While too much waits, nothing is read: EVENTS keeps it meanwhile. A webhook that alone is too far behind is disabled.
 *  I4. Without webhooks nothing is read.
 */
import { limits } from '../../actors/limits.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { NewDelivery, Subscription, WebhookQueue } from '../../actors/ports/webhooks.js';
import { type EventCursor, type EventMessage, EventReader, type EventReaderParts } from '../events/event-reader.js';
import { underAny } from '../joined-signal.js';
import type { Nats } from '../nats/nats.js';
import { pause, rest } from '../retry.js';
import { deliveriesIn } from './wanted-events.js';
import type { WebhookMeter } from './webhook-meter.js';

const LOOK_MS = 1_000;
/** A reading begins so long before its place: the broker's clock may be set back by less. */
const MARGIN_MS = 120_000;
/** A cursor that has passed nothing for a webhook is stored this often. */
const KEEP_MS = 5_000;

export interface IntakeParts {
  readonly nats: Nats;
  readonly queue: WebhookQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: WebhookMeter;
  /** There is something to send. */
  readonly onTaken: () => void;
  /** A webhook may get events that are so much older than it: the clocks of broker and database differ. */
  readonly clocksDifferMs?: number;
}

export class WebhookIntake {
  private reader: EventReader | undefined;
  /** The page at hand: read, and not taken yet. */
  private page: readonly EventMessage[] = [];
  private version = 0;
  private keptAt = 0;
  private lookedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: IntakeParts) {}

  get lag(): { readonly messages: number; readonly ms: number } {
    const { messages, ms } = this.reader?.lag ?? { messages: 0, ms: 0 };
    const [first] = this.page;
    if (first === undefined) return { messages, ms };
    return { messages: messages + this.page.length, ms: Math.max(0, this.parts.clock.now() - first.storedMs) };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { queue, clock } = this.parts;
    while (!signal.aborted) {
      const wanted = await this.answered(signal, () => queue.subscriptions());
      if (wanted !== undefined && wanted.length > 0) await this.read(wanted, signal);
      this.reader = undefined;
      await rest(clock, LOOK_MS, signal);
    }
  }

  // -------------------------------------------------------------- machinery

  /** Reads until nobody wants anything, or another intake has gone on. */
  private async read(wanted: readonly Subscription[], signal: AbortSignal): Promise<void> {
    const { nats, queue, clock, logger, meter } = this.parts;
    const place = await this.answered(signal, () => queue.place());
    if (place === undefined) return;
    this.version = place.version;
    const onGap = (sentence: string) => {
      meter.gap();
      logger.error({}, `${sentence} No webhook gets them.`);
    };
    const from = this.beginning(place.cursor, wanted);
    await underAny([signal], async (readUntil) => {
      const reader = new EventReader({ nats, from, marginMs: MARGIN_MS, onGap, clock, logger, signal: readUntil });
      this.reader = reader;
      try {
        for await (const page of reader.pages()) {
          this.page = page;
          await this.room(signal);
          if (!(await this.taken(page, reader, signal))) return;
          this.page = [];
        }
      } finally {
        this.page = [];
      }
    });
  }

  /** From the cursor on, unless all webhooks are younger: what nobody wanted meanwhile is not read. */
  private beginning(cursor: string | undefined, wanted: readonly Subscription[]): EventReaderParts['from'] {
    const sinceMs = Math.min(...wanted.map(({ since }) => since)) - this.clocksDifferMs;
    const read = cursor === undefined ? undefined : (JSON.parse(cursor) as EventCursor);
    return read !== undefined && read.time >= sinceMs ? read : { sinceMs };
  }

  private get clocksDifferMs(): number {
    return this.parts.clocksDifferMs ?? limits.webhookClockMs;
  }

  /** @returns false when the reading is over */
  private async taken(page: readonly EventMessage[], reader: EventReader, signal: AbortSignal): Promise<boolean> {
    const { queue, clock, meter, onTaken } = this.parts;
    const wanted = await this.answered(signal, () => queue.subscriptions());
    if (wanted === undefined) return false;
    const parts = [...deliveriesIn(page, wanted, this.clocksDifferMs)];
    const last = parts.pop() ?? [];
    for (const part of parts) if (!(await this.store(part, undefined, signal))) return false;
    const isDue = clock.monotonic() - this.keptAt >= KEEP_MS || wanted.length === 0;
    if (last.length > 0 || isDue) {
      if (!(await this.store(last, JSON.stringify(reader.cursor), signal))) return false;
      this.keptAt = clock.monotonic();
    }
    const count = parts.reduce((sum, part) => sum + part.length, last.length);
    if (count > 0) {
      meter.taken(count);
      onTaken();
    }
    return wanted.length > 0;
  }

  private async store(part: readonly NewDelivery[], cursor: string | undefined, signal: AbortSignal): Promise<boolean> {
    const { queue, logger } = this.parts;
    const version = await this.answered(signal, () => queue.take(this.version, part, cursor));
    if (version === undefined) {
      if (!signal.aborted)
        logger.info({}, 'another process goes on with the events for webhooks: this one looks again');
      return false;
    }
    this.version = version;
    return true;
  }

  /** Waits until there is room for more deliveries (webhook-intake.I3). */
  private async room(signal: AbortSignal): Promise<void> {
    const { queue, clock, logger, meter } = this.parts;
    for (let looks = 0; !signal.aborted; looks++) {
      if (looks === 0 && clock.monotonic() - this.lookedAt < LOOK_MS) return;
      const waiting = await this.answered(signal, () => queue.waiting());
      if (waiting === undefined) return;
      this.lookedAt = clock.monotonic();
      let all = 0;
      for (const [id, count] of waiting) {
        all += count;
        if (count <= limits.webhookWaiting) continue;
        if ((await this.answered(signal, () => queue.disable(id, 'behind'))) !== true) continue;
        meter.disabled('behind');
        logger.warn(
          { webhook: id },
          `a webhook is disabled: more than ${limits.webhookWaiting} deliveries wait for it`,
        );
      }
      meter.waiting(all);
      if (all < limits.webhooksWaiting) return;
      if (looks === 0)
        logger.warn({ waiting: all }, 'too many deliveries wait: no event is read for webhooks until fewer do');
      await rest(clock, LOOK_MS, signal);
    }
  }

  /** Asks Postgres until it answers. Undefined at the end, or for an answer of undefined. */
  private async answered<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T | undefined> {
    const { clock, logger } = this.parts;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (attempt === 0) logger.warn({ cause: String(error) }, 'the store of webhooks does not answer: trying on');
      }
      await pause(clock, attempt);
    }
    return undefined;
  }
}
