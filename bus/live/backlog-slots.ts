/**
 * Which listeners have a slot now, and are told the past.
 *
 * Law: so many are told at once, and of one caller no more than one: else one key could hold all slots. The others come in
 * their order. Whoever leaves while it waits gets no slot.
 */
interface Waiting {
  readonly caller: string | undefined;
  readonly begin: () => void;
}

export class BacklogSlots {
  private readonly waiting = new Set<Waiting>();
  private readonly callers = new Set<string>();
  private running = 0;

  constructor(private readonly most: number) {}

  /**
   * Waits for a slot.
   * @param caller undefined if nobody knows who it is: then only the slots count
   * @returns what frees the slot; undefined if the signal was aborted before it began
   */
  enter(caller: string | undefined, signal: AbortSignal): Promise<(() => void) | undefined> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(undefined);
      const giveUp = () => {
        this.waiting.delete(waiting);
        resolve(undefined);
      };
      const waiting = {
        caller,
        begin: () => {
          signal.removeEventListener('abort', giveUp);
          resolve(() => this.leave(caller));
        },
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.waiting.add(waiting);
      this.fill();
    });
  }

  private leave(caller: string | undefined): void {
    this.running--;
    if (caller !== undefined) this.callers.delete(caller);
    this.fill();
  }

  private fill(): void {
    for (const waiting of this.waiting) {
      if (this.running >= this.most) return;
      const { caller, begin } = waiting;
      if (caller !== undefined && this.callers.has(caller)) continue;
      if (caller !== undefined) this.callers.add(caller);
      this.running++;
      this.waiting.delete(waiting);
      begin();
    }
  }
}
