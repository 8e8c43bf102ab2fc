/**
 * The connection that trims: its account may purge JOURNAL, and nothing else. That of a node may not.
 *
 * Law: it is made at the first trim, and once for trims at once. One that is lost or could not be made is made by the next trim.
 * Whoever trims pauses after a failure (trimmer.ts, janitor.ts). Nothing but trims waits for it.
 */
import type { Nats } from './nats.js';

export class TrimConnection implements Pick<Nats, 'api'> {
  private made: Promise<Nats> | undefined;
  private isClosed = false;

  constructor(private readonly connect: () => Promise<Nats>) {}

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
    this.made ??= this.connect();
    const { made } = this;
    try {
      const nats = await made;
      if (nats.status !== 'closed') return nats;
    } catch (error) {
      this.forget(made);
      throw error;
    }
    this.forget(made); // A broker that refuses a known user ends the connection for good.
    return this.connection();
  }

  /** Another trim may have made the next one meanwhile. */
  private forget(made: Promise<Nats>): void {
    if (this.made === made) this.made = undefined;
  }
}
