/** Which of several processes does a work. Types only; a contract suite tests each promise. */

/**
 * Law: at most one process holds a name, except for moments in which the store was away: so whatever is done under a lease
 * must be safe if two do it. A process that dies, or loses the store, loses its leases within seconds.
 */
export interface Leases {
  /**
   * Waits until nobody else holds the name, then runs. The lease ends with the run.
   * @param signal ends the wait; a run gets `lost` instead, which is aborted with it too
   * @param waits called once, when somebody else holds it
   * @returns undefined if the wait was ended
   */
  holding<T>(
    name: string,
    signal: AbortSignal,
    run: (lost: AbortSignal) => Promise<T>,
    waits?: () => void,
  ): Promise<T | undefined>;
}
