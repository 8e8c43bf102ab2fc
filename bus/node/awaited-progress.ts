/** Waits for conditions that become true after an append or a flush. Each wait has a deadline. */
import type { Clock } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';

type Moment = 'append' | 'flush';

export class AwaitedProgress {
  private readonly waiting: Record<Moment, (() => void)[]> = { append: [], flush: [] };
  private over = false;

  constructor(private readonly clock: Clock) {}

  /** The incarnation is over: no condition becomes true any more. */
  get isOver(): boolean {
    return this.over;
  }

  /** @param deadlineMs may be infinite. @param otherwise the error's message at the deadline. @throws Unavailable */
  until(moment: Moment, holds: () => boolean, deadlineMs: number, otherwise: string): Promise<void> {
    return new Promise((resolve, reject) => {
      let isWaiting = true;
      const end = (settle: () => void) => {
        isWaiting = false;
        cancel();
        settle();
      };
      const cancel = Number.isFinite(deadlineMs)
        ? this.clock.after(deadlineMs, () => end(() => reject(new Unavailable(otherwise))))
        : () => {};
      const check = () => {
        if (!isWaiting) return;
        if (holds()) end(resolve);
        else if (this.over) end(() => reject(new Unavailable('the node that owned it is gone')));
        else this.waiting[moment].push(check);
      };
      check();
    });
  }

  wake(moment: Moment): void {
    const waiting = this.waiting[moment];
    this.waiting[moment] = [];
    for (const check of waiting) check();
  }

  /** No condition will become true any more: every wait whose condition is false rejects. */
  end(): void {
    this.over = true;
    this.wake('append');
    this.wake('flush');
  }
}
