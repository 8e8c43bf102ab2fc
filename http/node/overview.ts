/**
 * What this node did in the last ten minutes, and what it knows of EVENTS, its feeds and verify. One sample is made every two
 * seconds, also while nobody looks: who opens the page at night sees what came before.
 *
 * A sample reads numbers that are counted anyway, and asks the broker one small question, with a deadline. Two are never under
 * way at once.
 */
import type { FeedReport } from '../../actors/ports/feeds.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { OverviewQuery } from '../api/overview-schemas.js';
import { type Answer, success } from '../api/reply.js';
import { withDeadline } from '../wire/deadline.js';
import type { AnswerTimes, Times } from './answer-times.js';

const EVERY_MS = 2_000;
const SAMPLES = 300;
const ASK_MS = 1_000;

/** Orders of this node by their outcome, since the process began. */
interface Outcomes {
  readonly confirmed: number;
  readonly failed: number;
  readonly cancelled: number;
}

export interface SeenVerdict {
  readonly clean: boolean;
  /** Wall clock, milliseconds. */
  readonly at: number;
  readonly violations: number;
  /** What was judged: the running system by `holdfast verify`, or a dump by the role backup. */
  readonly of: 'verify' | 'last dump';
}

/** What the edge does not know by itself. */
export interface OverviewSource {
  readonly name: string;
  readonly version: string;
  outcomes(): Outcomes;
  /** Undefined: there is no EVENTS. */
  readonly events: EventsSeen | undefined;
  /** The latest that this process knows of; undefined: none. */
  verdict(): Promise<SeenVerdict | undefined>;
}

interface EventsSeen {
  /** The sequence of the last message of EVENTS, of the whole system. Rejects while it is not known. */
  lastSequence(): Promise<number>;
  feeds(): readonly FeedReport[];
}

interface Sample {
  /** The end of its interval: wall clock, milliseconds. It always rises. */
  readonly at: number;
  readonly text: string;
}

export class Overview {
  private readonly startedAt: number;
  private samples: Sample[] = [];
  private before: Outcomes;
  private sequence: number | undefined;
  private cancel = () => {};

  constructor(
    private readonly source: OverviewSource,
    private readonly placing: AnswerTimes,
    private readonly clock: Clock,
  ) {
    this.startedAt = clock.now();
    this.before = source.outcomes();
  }

  start(): void {
    this.cancel = this.clock.after(EVERY_MS, () => {
      this.start();
      void this.sample();
    });
  }

  stop(): void {
    this.cancel();
  }

  show = async ({ after }: OverviewQuery): Promise<Answer> => {
    const { source, startedAt, sequence, clock } = this;
    const { name, version, events } = source;
    const from = after?.ms ?? Number.NEGATIVE_INFINITY;
    const verdict = await this.orNothing(() => source.verdict());
    const shown = {
      node: { name, version, started_at: timeOf(startedAt) },
      now: timeOf(clock.now()),
      every_ms: EVERY_MS,
      events: events === undefined ? null : { last_sequence: sequence ?? null, feeds: events.feeds().map(feedJson) },
      verify: verdict === undefined ? null : { ...verdict, at: timeOf(verdict.at) },
    };
    const samples = this.samples.filter(({ at }) => at > from).map(({ text }) => text);
    return success(200, `${JSON.stringify(shown).slice(0, -1)},"samples":[${samples.join(',')}]}`);
  };

  // -------------------------------------------------------------- machinery

  private async sample(): Promise<void> {
    const { source, before, clock } = this;
    const at = Math.max(clock.now(), (this.samples.at(-1)?.at ?? 0) + 1);
    const [now, times] = [source.outcomes(), this.placing.take()];
    this.before = now;
    const events = source.events && (await this.moved(source.events));
    this.samples.push({ at, text: sampleText(at, before, now, times, events) });
    if (this.samples.length > SAMPLES) this.samples.shift();
  }

  /** How far EVENTS has moved since the last sample; undefined if one of the two is not known, or if it was made anew. */
  private async moved(events: EventsSeen): Promise<number | undefined> {
    const last = this.sequence;
    this.sequence = await this.orNothing(() => events.lastSequence());
    if (last === undefined || this.sequence === undefined || this.sequence < last) return undefined;
    return this.sequence - last;
  }

  private orNothing<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const nothing = () => undefined;
    return withDeadline(this.clock, ASK_MS, () => ask().catch(nothing), nothing);
  }
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

const feedJson = ({ name, state, lag }: FeedReport) => ({ name, behind: lag.messages, state });

/** Made once, and sent to everyone who looks. */
function sampleText(at: number, before: Outcomes, now: Outcomes, times: Times, events: number | undefined): string {
  const percentile = (share: number) => {
    const ms = times.percentile(share);
    return ms === undefined ? null : Math.round(ms * 100) / 100;
  };
  return JSON.stringify({
    at: timeOf(at),
    confirmed: now.confirmed - before.confirmed,
    failed: now.failed - before.failed,
    cancelled: now.cancelled - before.cancelled,
    answered: times.answered,
    p50_ms: percentile(0.5),
    p95_ms: percentile(0.95),
    p99_ms: percentile(0.99),
    events: events ?? null,
  });
}
