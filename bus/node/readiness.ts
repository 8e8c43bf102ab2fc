/**
 * A node is ready when the journal and Postgres both answer in time: a real write, or for some time after one, a question. On an
 * idle node checks are all that writes, and a memory card wears out by them.
 */
import { limits } from '../../actors/limits.js';
import type { Clock } from '../../actors/ports/runtime.js';

/** A call to the journal, and one to Postgres. */
interface Both {
  readonly journal: () => Promise<unknown>;
  readonly postgres: () => Promise<unknown>;
}

interface ReadinessParts {
  readonly clock: Clock;
  readonly write: Both;
  readonly ask: Both;
  /** How long two writes that came through count, in milliseconds; 0: each check writes. */
  readonly writeCountsMs: number;
  /** An append or a flush has had no answer for long: then only a write tells. */
  readonly isStuck: () => boolean;
}

export class Readiness {
  private running: Promise<void> | undefined;
  private wroteAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: ReadinessParts) {}

  /** Joins a check under way. Rejects with a sentence that names the store without an answer. */
  check(): Promise<void> {
    this.running ??= this.both().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  // -------------------------------------------------------------- machinery

  private both(): Promise<void> {
    const { clock, write, ask, writeCountsMs, isStuck } = this.parts;
    const now = clock.monotonic();
    if (now - this.wroteAt < writeCountsMs && !isStuck()) return bothAnswer(clock, ask, 'a question');
    return bothAnswer(clock, write, 'a write', () => {
      this.wroteAt = now;
    });
  }
}

function bothAnswer(clock: Clock, { journal, postgres }: Both, what: string, onAnswers = () => {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const missing = new Set(['the journal', 'Postgres']);
    const tooLate = () =>
      reject(new Error(`${[...missing].join(' and ')} did not answer ${what} within ${limits.readyMs} ms`));
    const cancel = clock.after(limits.readyMs, tooLate);
    const both = [
      journal().then(() => missing.delete('the journal')),
      postgres().then(() => missing.delete('Postgres')),
    ];
    Promise.all(both)
      .then(() => {
        onAnswers();
        resolve();
      }, reject)
      .finally(cancel);
  });
}
