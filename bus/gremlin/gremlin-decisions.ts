/**
 * Decides whom the gremlin bites, and counts what it did.
 *
 *  G1. Decisions depend on the setting, its seed and the order of the questions alone: every n-th exactly,
 *      or by a generator of its own for each rule; jitter is drawn from another, so that it moves no decision.
 *  G2. What it was told ends by this node's own running time, also when the switch cannot be reached.
 *  G3. Off, it costs one comparison: `enabled` is asked first, everywhere.
 */
import type {
  Bite,
  GremlinKind,
  GremlinRule,
  GremlinStanding,
  GremlinStatus,
  GremlinTarget,
} from '../../actors/ports/gremlin-setting.js';
import type { Clock } from '../../actors/ports/runtime.js';

export class Gremlin {
  private standing: GremlinStanding | undefined;
  private rules: Rule[] = [];
  private isOn = false;
  private endsAt = Number.NEGATIVE_INFINITY;
  private asked: Partial<Record<GremlinTarget, number>> = {};
  private hits: Partial<Record<GremlinTarget, Partial<Record<GremlinKind, number>>>> = {};

  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    /** Ends this process at once. */
    private readonly kill: (target: GremlinTarget) => void,
  ) {}

  get enabled(): boolean {
    if (!this.isOn) return false;
    this.isOn = this.clock.monotonic() < this.endsAt; // gremlin-decisions.G2
    return this.isOn;
  }

  /** Does from now on as it is told. @returns whether that is something else than before. */
  obey(standing: GremlinStanding | undefined): boolean {
    const wasEnabled = this.enabled;
    this.isOn = standing !== undefined;
    if (standing === undefined) return wasEnabled;
    this.endsAt = this.clock.monotonic() + standing.restMs;
    if (standing.id === this.standing?.id) return !wasEnabled;
    this.standing = standing;
    this.rules = standing.setting.rules.map((rule, i) => new Rule(rule, standing.setting.seed + i));
    this.asked = {};
    this.hits = {};
    return true;
  }

  /** Whether there are rules for it. */
  troubles(target: GremlinTarget): boolean {
    return this.enabled && this.rules.some(({ rule }) => rule.target === target);
  }

  /** One question: what is done to this call, if anything. @param unless what cannot be done to it */
  bite(target: GremlinTarget, unless?: GremlinKind): Bite | undefined {
    if (!this.enabled) return undefined;
    this.asked[target] = (this.asked[target] ?? 0) + 1;
    for (const each of this.rules) {
      const { kind } = each.rule;
      if (each.rule.target !== target || kind === unless || !each.hits()) continue;
      const counts = this.hits[target] ?? {};
      counts[kind] = (counts[kind] ?? 0) + 1;
      this.hits[target] = counts;
      if (kind === 'kill') this.kill(target);
      return { kind, delayMs: each.delayMs() };
    }
    return undefined;
  }

  /** How much later a Hold comes to its product; whatever happens to a letter, in the end it only comes late. */
  holdDelayMs(): number {
    return this.bite('inventory', 'duplicate')?.delayMs ?? 0;
  }

  status(): GremlinStatus {
    return { enabled: this.enabled, standing: this.standing, asked: { ...this.asked }, hits: { ...this.hits } };
  }
}

// ---------------------------------------------------------------- machinery

class Rule {
  private asked = 0;
  private readonly chance: () => number;
  private readonly jitter: () => number;

  constructor(
    readonly rule: GremlinRule,
    seed: number,
  ) {
    this.chance = generator(seed);
    this.jitter = generator(~seed);
  }

  hits(): boolean {
    const { every, probability = 0 } = this.rule;
    return every === undefined ? this.chance() < probability : ++this.asked % every === 0;
  }

  delayMs(): number {
    const { delayMs, jitterMs } = this.rule;
    return jitterMs === 0 ? delayMs : delayMs + Math.floor(this.jitter() * (jitterMs + 1));
  }
}

/** Mulberry32: numbers in [0, 1), the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
