/** What a node tells its metrics. Types only; times are in milliseconds. */
import type { JournaledEvent } from '../../actors/node/record.js';
import type { AppendMeter } from '../journal/journal-writer.js';
import type { CacheMeter } from '../reads/read-cache.js';
import type { FlushMeter } from './flush-writer.js';

/** A turn that is in the journal. */
interface AppendedTurn {
  /** What its decisions took. */
  readonly decidedMs: number;
  readonly appendedMs: number;
  readonly bytes: number;
  readonly events: readonly JournaledEvent[];
}

export interface Meter extends CacheMeter, AppendMeter, FlushMeter {
  appended(turn: AppendedTurn): void;
  /** A call had no answer in time. It may have taken effect. */
  unanswered(call: 'append' | 'flush' | 'lookup'): void;
  /** A call is repeated. */
  retried(call: 'append' | 'flush'): void;
  /** A decision threw, and had no effect. */
  deadLetter(): void;
}
