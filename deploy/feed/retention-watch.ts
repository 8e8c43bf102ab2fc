// How much of what EVENTS keeps each feed still has to read. At 1 the retention removes events that the feed has not told.

import type { Feed } from '../../actors/ports/feeds.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { EVENTS_STREAM } from '../../bus/events/jetstream-events.js';
import type { Nats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';

const LOOK_MS = 5_000;
const NANOSECONDS = 1_000_000;
/** From here on it is said, once until it has fallen well below. */
const ALARM = 0.5;
const CALM = 0.4;

interface Retention {
  /** Of all messages, and the most that they may be; -1 without a limit. */
  readonly bytes: number;
  readonly maxBytes: number;
  readonly messages: number;
  /** 0 without a limit. */
  readonly maxAgeMs: number;
}

interface RetentionWatchParts {
  readonly nats: Nats;
  readonly feeds: readonly Feed[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** From 0 to 1, and above where the retention has passed the feed. */
export function retentionUsed({ lag }: Pick<Feed, 'lag'>, { bytes, maxBytes, messages, maxAgeMs }: Retention): number {
  const bySize = maxBytes > 0 && messages > 0 ? ((lag.messages / messages) * bytes) / maxBytes : 0;
  const byAge = maxAgeMs > 0 ? lag.ms / maxAgeMs : 0;
  return Math.max(bySize, byAge);
}

export class RetentionWatch {
  private retention: Retention | undefined;
  private readonly alarmed = new Set<Feed>();
  private cancel = () => {};

  constructor(private readonly parts: RetentionWatchParts) {}

  /** 0 until EVENTS has answered. */
  used(feed: Feed): number {
    return this.retention === undefined ? 0 : retentionUsed(feed, this.retention);
  }

  start(): void {
    const again = () => {
      this.cancel = this.parts.clock.after(LOOK_MS, () => void this.look().then(again, again));
    };
    again();
  }

  stop(): void {
    this.cancel();
  }

  // -------------------------------------------------------------- machinery

  private async look(): Promise<void> {
    const { nats, feeds, logger } = this.parts;
    const info = await streamInfo(nats, EVENTS_STREAM);
    if (info === undefined) return;
    const { bytes, messages } = info.state;
    const { max_bytes: maxBytes, max_age: maxAge } = info.config;
    this.retention = { bytes, maxBytes, messages, maxAgeMs: maxAge / NANOSECONDS };
    for (const feed of feeds) {
      const used = this.used(feed);
      if (used < CALM) this.alarmed.delete(feed);
      if (used < ALARM || this.alarmed.has(feed)) continue;
      this.alarmed.add(feed);
      const percent = Math.round(used * 100);
      logger.warn(
        { feed: feed.name, percent },
        `this feed has not told ${percent} % of what EVENTS may keep: past 100 % it loses events. Give EVENTS more room (EVENTS_MIB, EVENTS_AGE_H), or see why the feed is behind`,
      );
    }
  }
}
