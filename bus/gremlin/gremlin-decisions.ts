/**
 * Decides which calls the gremlin bites, and counts the bites.
 *
 *  G1. Decisions depend only on the setting, its seed and the order of the calls. A rule bites exactly every n-th call,
 *      or by its own random generator. Jitter has a second generator, so that it changes no decision.
 *  G2. A setting ends by this node's monotonic clock, even if the switch cannot be reached.
 *  G3. A gremlin that is off costs one comparison: every caller checks `enabled` first.
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

  /** Takes a setting from the switch. @returns whether it differs from the setting before */
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

  /** Whether the gremlin is on and has a rule for the target. */
  troubles(target: GremlinTarget): boolean {
    return this.enabled && this.rules.some(({ rule }) => rule.target === target);
  }

  /** The bite for one call; undefined for none. @param unless a kind of bite that this call does not allow */
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

  /** How much later a Hold reaches its product. Letters are sent again, so every bite only delays them. */
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

/** The generator Mulberry32: numbers in [0, 1), the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
