/** Pages that were read and wait to be sent. Reading and sending go on side by side, and together they are bounded. */
import type { Clock } from '../../actors/ports/runtime.js';
import type { EventCursor, EventMessage } from '../events/event-reader.js';

export interface Page {
  readonly messages: readonly EventMessage[];
  /** After this page. */
  readonly cursor: EventCursor;
}

/** What one transaction takes at most, unless a single page is larger; and as much may wait for the next one. */
const BYTES = 4_194_304;

export class PageQueue {
  private pages: Page[] = [];
  private bytes = 0;
  private isOver = false;
  private failure: unknown;
  private wakeTaker = () => {};
  private wakeFiller = () => {};

  constructor(private readonly clock: Clock) {}

  /** Reads until the pages end or fail; then `take` says so. */
  async fill(pages: AsyncIterable<readonly EventMessage[]>, cursor: () => EventCursor): Promise<void> {
    try {
      for await (const messages of pages) {
        this.pages.push({ messages, cursor: cursor() });
        for (const { text } of messages) this.bytes += text.length;
        this.wakeTaker();
        while (this.bytes >= BYTES && !this.isOver) {
          await new Promise<void>((resolve) => {
            this.wakeFiller = resolve;
          });
        }
        if (this.isOver) return;
      }
    } catch (error) {
      this.failure = error;
    }
    this.end();
  }

  /**
   * All that waits, after a pause in which more may come. Empty when reading has ended.
   * @returns undefined when nothing came for `idleMs`
   * @throws what ended the reading
   */
  async take(gatherMs: number, idleMs: number): Promise<readonly Page[] | undefined> {
    await this.woken(idleMs, () => this.pages.length > 0);
    if (!this.isOver && this.pages.length === 0) return undefined;
    await this.woken(gatherMs, () => this.bytes >= BYTES / 2);
    const taken = this.pages;
    this.pages = [];
    this.bytes = 0;
    this.wakeFiller();
    if (taken.length === 0 && this.failure !== undefined) throw this.failure;
    return taken;
  }

  end(): void {
    this.isOver = true;
    this.wakeTaker();
    this.wakeFiller();
  }

  get messages(): number {
    return this.pages.reduce((sum, { messages }) => sum + messages.length, 0);
  }

  get oldestMs(): number | undefined {
    return this.pages[0]?.messages[0]?.storedMs;
  }

  // -------------------------------------------------------------- machinery

  /** Resolves when enough waits, when it is over, or after the time. */
  private woken(forMs: number, isEnough: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (this.isOver || isEnough()) return resolve();
      const cancel = this.clock.after(forMs, resolve);
      this.wakeTaker = () => {
        if (!this.isOver && !isEnough()) return;
        cancel();
        resolve();
      };
    });
  }
}
