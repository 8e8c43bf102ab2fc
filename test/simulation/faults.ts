/**
 * Draws the fate of each call to another machine. Every call of a port becomes events in virtual time.
 *
 *   answered     it takes effect, and the caller gets the answer
 *   refused      no answer, no effect
 *   unanswered   it takes effect, and its answer is lost
 *   late         no answer by the deadline; it takes effect later, even if the caller is dead by then
 *   dies...      the caller is killed: before the call leaves, on its way, after its effect, or after its answer
 *
 * A caller may die or be paused for another reason while its call is on its way. The call then lands or not.
 */
import type { Being, Chance, Timeline } from './clock.js';
import type { Counters } from './counters.js';

/** The caller cannot know whether its call took effect. */
export class NoAnswer extends Error {
  override name = 'NoAnswer';
}

/** The chance of each fault per call, drawn from the seed. */
interface Weather {
  readonly refused: number;
  readonly unanswered: number;
  readonly late: number;
  readonly dies: number;
  readonly full: number;
  readonly slowness: number;
  /** The share of look-ups whose answers take as long as an answer may. */
  readonly slowLookUps: number;
  readonly deadlineMs: number;
  readonly letterLost: number;
  readonly letterRepeated: number;
  readonly letterDelayMs: number;
}

export type Service = 'log' | 'storage' | 'events' | 'payments' | 'bus';
type Fate = 'answered' | 'refused' | 'unanswered' | 'late' | 'diesBefore' | 'diesDuring' | 'diesAfter' | 'diesTold';

/** @param many nodes serve at once, and a move takes many calls */
export function drawWeather(chance: Chance, many: boolean): Weather {
  const bad = chance.pick(many ? [0, 0.01, 0.02, 0.04, 0.08] : [0, 0.01, 0.03, 0.08, 0.2]);
  return {
    refused: bad * chance.next(),
    unanswered: bad * chance.next(),
    late: bad * chance.next(),
    dies: chance.pick([0, 0.002, 0.006, 0.02]),
    full: chance.pick([0, 0, 0.02]),
    slowness: chance.pick(many ? [0.5, 1, 4, 20] : [0.5, 2, 8, 40]),
    slowLookUps: chance.pick([0, 0.1, 0.3]),
    deadlineMs: chance.pick([60, 300, many ? 800 : 2_000]),
    letterLost: chance.pick([0, 0.05, 0.3]),
    letterRepeated: chance.pick([0, 0.1, 0.4]),
    letterDelayMs: chance.pick([1, 20, 300]),
  };
}

export class Faults {
  isCalm = false;
  private readonly aways = new Map<Service, { readonly sinceMs: number; readonly untilMs: number }>();

  constructor(
    readonly timeline: Timeline,
    readonly weather: Weather,
    readonly counters: Counters,
    /** kill -9. */
    private readonly kill: (being: Being, why: string) => void,
  ) {}

  /** The service answers no call for a while. */
  away(service: Service, forMs: number): void {
    const { nowMs } = this.timeline;
    const sinceMs = this.isAway(service) ? this.lastAway(service).sinceMs : nowMs;
    this.aways.set(service, { sinceMs, untilMs: nowMs + forMs });
  }

  isAway(service: Service): boolean {
    return this.lastAway(service).untilMs > this.timeline.nowMs;
  }

  /** Since and until when the service was away the last time. */
  lastAway(service: Service): { readonly sinceMs: number; readonly untilMs: number } {
    return this.aways.get(service) ?? { sinceMs: Number.NEGATIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY };
  }

  heal(): void {
    this.isCalm = true;
    this.aways.clear();
  }

  get chance(): Chance {
    return this.timeline.chance;
  }

  /** One call from a process to a service. @param effect its effect at the service, which is atomic */
  call<T>(being: Being, service: Service, name: string, effect: () => Promise<T>): Promise<T> {
    const { timeline, weather, chance, counters } = this;
    const fate = this.fate(service, name);
    counters.add(`${name}: ${fate}`);
    timeline.note(`${being.name} ${name} ${fate}`);
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new NoAnswer(`${name} has no answer`));
      const answer = (settle: () => void) => {
        if (fate === 'unanswered' || fate === 'late') return;
        if (fate === 'diesAfter') return this.kill(being, `after ${name}`);
        const isSlow = name === 'lookUp' && !this.isCalm && chance.hits(weather.slowLookUps);
        const delayMs = isSlow ? weather.deadlineMs * chance.next() : this.wayMs();
        timeline.after(delayMs, settle, being);
        if (fate === 'diesTold') timeline.after(delayMs, () => this.kill(being, `told of ${name}`));
      };
      const land = () => {
        if (being.state === 'dead' && fate !== 'late' && fate !== 'diesDuring') {
          const lands = chance.hits(0.5);
          counters.add(lands ? 'landed after its caller died' : 'lost with its caller');
          if (!lands) return;
        }
        if (being.state === 'dead' && fate === 'late') counters.add(`${name}: landed late, its caller dead`);
        if (being.state === 'paused') counters.add('landed while its caller slept');
        timeline.note(`${being.name} ${name} lands`);
        effect().then(
          (value) => answer(() => resolve(value)),
          (error) => answer(() => reject(error)),
        );
      };
      if (fate === 'refused') {
        timeline.after(chance.hits(0.5) ? this.wayMs() : weather.deadlineMs, giveUp, being);
        return;
      }
      if (fate === 'unanswered' || fate === 'late') timeline.after(weather.deadlineMs, giveUp, being);
      if (fate === 'diesBefore') {
        timeline.after(0, () => this.kill(being, `before ${name}`));
        return;
      }
      const wayMs = this.wayMs();
      if (fate === 'diesDuring') timeline.after(wayMs * chance.next(), () => this.kill(being, `during ${name}`));
      timeline.after(fate === 'late' ? weather.deadlineMs + chance.between(0, 1_500) : wayMs, land);
    });
  }

  private fate(service: Service, name: string): Fate {
    if (this.isCalm) return 'answered';
    const { weather, chance } = this;
    if (this.isAway(service)) return chance.hits(0.8) ? 'refused' : 'late';
    const draw = chance.next();
    if (draw < weather.refused) return 'refused';
    if (draw < weather.refused + weather.unanswered) return 'unanswered';
    if (draw < weather.refused + weather.unanswered + weather.late) return 'late';
    const mayDie = name === 'append' || name.startsWith('flush') || name === 'claim' || name === 'seal';
    if (!mayDie || !chance.hits(weather.dies)) return 'answered';
    return chance.pick(['diesBefore', 'diesDuring', 'diesAfter', 'diesTold']);
  }

  /** How long a call takes one way: mostly short, sometimes very long. */
  private wayMs(): number {
    const { chance, weather } = this;
    if (this.isCalm) return chance.between(0.1, 2);
    return chance.next() * weather.slowness * (chance.hits(0.03) ? 20 : 1);
  }
}
