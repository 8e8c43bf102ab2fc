/**
 * The connection that trims: its account may purge JOURNAL, and nothing else. That of a node may not.
 *
 * Law: it is made at the first trim. What was lost is made again, at the next trim; one that cannot be made is not asked for before
 * a pause has passed. Meanwhile a trim fails at once, with the reason. Nothing but trims waits for it.
 */
import type { Clock } from '../../actors/ports/runtime.js';
import { pauseMs } from '../retry.js';
import type { Nats } from './nats.js';

const LONGEST_PAUSE_MS = 20_000;
/** About a second. */
const FIRST_ATTEMPT = 6;

export class TrimConnection implements Pick<Nats, 'api'> {
  private made: Promise<Nats> | undefined;
  private failures = 0;
  private notBefore = Number.NEGATIVE_INFINITY;
  private isClosed = false;

  constructor(
    private readonly connect: () => Promise<Nats>,
    private readonly clock: Clock,
  ) {}

  async api<T>(verb: string, body?: object, deadlineMs?: number): Promise<T> {
    return (await this.connection()).api<T>(verb, body, deadlineMs);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const nats = await this.made?.catch(() => undefined);
    await nats?.close();
  }

  // -------------------------------------------------------------- machinery

  private async connection(): Promise<Nats> {
    if (this.isClosed) throw new Error('the connection that trims is closed');
    // A rejected one is kept for its reason, until the pause is over.
    const isDue = this.failures > 0 && this.clock.monotonic() >= this.notBefore;
    if (this.made === undefined || isDue) this.made = this.open();
    const nats = await this.made;
    if (nats.status !== 'closed') return nats;
    this.made = undefined; // A broker that refuses a known user ends the connection for good.
    return this.connection();
  }

  private async open(): Promise<Nats> {
    const { clock } = this;
    this.notBefore = Number.POSITIVE_INFINITY;
    try {
      const nats = await this.connect();
      this.failures = 0;
      return nats;
    } catch (error) {
      this.notBefore = clock.monotonic() + pauseMs(clock, FIRST_ATTEMPT + this.failures++, LONGEST_PAUSE_MS);
      throw error;
    }
  }
}
