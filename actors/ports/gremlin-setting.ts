/**
 * The settings of the gremlin: which part of the system it troubles, how, and how often. It shows that nothing is lost,
 * doubled or wrong while a part misbehaves. It changes how and when messages are carried, never what is decided.
 */

export const GREMLIN_TARGETS = ['inventory', 'order', 'payment', 'storage', 'bus'] as const;
export type GremlinTarget = (typeof GREMLIN_TARGETS)[number];

export const GREMLIN_KINDS = ['latency', 'error', 'drop', 'duplicate', 'reorder', 'kill'] as const;
export type GremlinKind = (typeof GREMLIN_KINDS)[number];

export interface GremlinRule {
  readonly target: GremlinTarget;
  readonly kind: GremlinKind;
  /** Troubles exactly every n-th call. Either `every` or `probability` is set. */
  readonly every?: number;
  /** Troubles each call with this probability. */
  readonly probability?: number;
  readonly delayMs: number;
  /** A random addition to the delay, up to this. */
  readonly jitterMs: number;
}

export interface GremlinSetting {
  /** The first rule that hits decides. */
  readonly rules: readonly GremlinRule[];
  /** The same seed makes the same decisions, node by node. */
  readonly seed: number;
}

/** A setting as it is stored in the switch. Times are by the switch's clock. */
export interface GremlinStanding {
  /** Identifies this activation. */
  readonly id: string;
  readonly setting: GremlinSetting;
  /** Wall clock, milliseconds. */
  readonly since: number;
  readonly until: number;
  /** The time left when the setting was read. */
  readonly restMs: number;
}

/** The trouble for one call. */
export interface Bite {
  readonly kind: GremlinKind;
  readonly delayMs: number;
}

/** What one node's gremlin did under its present setting, or its last one. */
export interface GremlinStatus {
  readonly enabled: boolean;
  readonly standing: GremlinStanding | undefined;
  readonly asked: Readonly<Partial<Record<GremlinTarget, number>>>;
  readonly hits: Readonly<Partial<Record<GremlinTarget, Readonly<Partial<Record<GremlinKind, number>>>>>>;
}
