// Watches over EVENTS: what the broker may have lost is published again. It may have lost the last messages whenever it was
// away, and all of them when somebody deleted the stream.

import type { Clock, Logger } from '../actors/ports/runtime.js';
import type { Nats } from '../bus/nats/nats.js';
import { untilAnswered } from '../bus/retry.js';

const LOOK_MS = 3_000;

interface EventsWatch {
  readonly nats: Pick<Nats, 'watch'>;
  /** Makes the stream if it is missing; whether it is another one than before. */
  readonly isNewStream: () => Promise<boolean>;
  readonly recheck: (isNewStream: boolean) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export function watchEvents({ nats, isNewStream, recheck, clock, logger, signal }: EventsWatch): void {
  nats.watch((status) => {
    if (status === 'connected') recheck(false);
  });
  const look = async () => {
    const isNew = await untilAnswered(clock, () => signal.aborted, isNewStream);
    if (isNew) logger.warn({}, 'EVENTS was made anew: what the journal still has is published again');
    if (isNew) recheck(true);
  };
  const again = () => {
    if (signal.aborted) return;
    clock.after(LOOK_MS, () => void look().then(again, again));
  };
  again();
}
