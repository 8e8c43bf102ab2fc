/**
 * What the gremlin can be told: whom to trouble, how, and how often. It is there to show that nothing is
 * lost, doubled or wrong while a part of the system misbehaves; it changes how and when things are carried,
 * never what is decided.
 */

export const GREMLIN_TARGETS = ['inventory', 'order', 'payment', 'storage', 'bus'] as const;
export type GremlinTarget = (typeof GREMLIN_TARGETS)[number];

export const GREMLIN_KINDS = ['latency', 'error', 'drop', 'duplicate', 'reorder', 'kill'] as const;
export type GremlinKind = (typeof GREMLIN_KINDS)[number];

export interface GremlinRule {
  readonly target: GremlinTarget;
  readonly kind: GremlinKind;
  /** Every n-th that is asked, exactly, ... */
  readonly every?: number;
  /** ... or each with this chance. One of the two is there. */
  readonly probability?: number;
  readonly delayMs: number;
  /** Up to so much is added to the delay. */
  readonly jitterMs: number;
}

export interface GremlinSetting {
  /** The first that hits decides. */
  readonly rules: readonly GremlinRule[];
  /** The same seed makes the same decisions, node by node. */
  readonly seed: number;
}

/** A setting as the one switch has it: times by the switch's clock. */
export interface GremlinStanding {
  /** Of this switching on. */
  readonly id: string;
  readonly setting: GremlinSetting;
  /** Wall clock, milliseconds. */
  readonly since: number;
  readonly until: number;
  /** What was left of it when it was read. */
  readonly restMs: number;
}

/** What is done to one call. */
export interface Bite {
  readonly kind: GremlinKind;
  readonly delayMs: number;
}

/** What one node's gremlin did under the setting it has, or had last. */
export interface GremlinStatus {
  readonly enabled: boolean;
  readonly standing: GremlinStanding | undefined;
  readonly asked: Readonly<Partial<Record<GremlinTarget, number>>>;
  readonly hits: Readonly<Partial<Record<GremlinTarget, Readonly<Partial<Record<GremlinKind, number>>>>>>;
}
