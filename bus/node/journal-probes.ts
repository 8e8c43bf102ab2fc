/** Probes of the journal: appends that record nothing. They show that the journal takes appends, and is not sealed. */
import type { Request } from '../../actors/node/effects.js';
import { Unavailable } from '../../actors/unavailable.js';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Unavailable) => void;
}

export class JournalProbes {
  /** Below zero: no request of an edge has such a number. */
  private last: Request = 0;
  private readonly waiting = new Map<Request, Waiting>();
  private joined: Promise<void> | undefined;

  /** @param put gives the node a probe, which its next append answers */
  constructor(private readonly put: (request: Request) => void) {}

  /** Resolves when a record is acknowledged whose append begins after this call. */
  append(): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = --this.last;
      this.waiting.set(request, { resolve, reject });
      this.put(request);
    });
  }

  /** Joins a probe under way, so that many checks put one into the inbox. */
  join(): Promise<void> {
    this.joined ??= this.append().finally(() => {
      this.joined = undefined;
    });
    return this.joined;
  }

  answered(request: Request): void {
    this.waiting.get(request)?.resolve();
    this.waiting.delete(request);
  }

  /** The incarnation is over. */
  end(): void {
    for (const { reject } of this.waiting.values()) reject(new Unavailable('the node that owned it is gone'));
    this.waiting.clear();
  }
}
