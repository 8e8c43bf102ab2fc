/** The gremlin: one switch for all nodes, and its bites. Types alone; what a port promises is held by its contract suite. */
import type { Bite, GremlinSetting, GremlinStanding, GremlinStatus, GremlinTarget } from './gremlin-setting.js';

/** One switch for all nodes. What stands ends by itself, by the switch's own clock. */
export interface GremlinSwitch {
  /** Replaces what stands. */
  enable(id: string, setting: GremlinSetting, forMs: number): Promise<GremlinStanding>;
  disable(): Promise<void>;
  /** Undefined: it is off, or over. */
  standing(): Promise<GremlinStanding | undefined>;
}

/** The gremlin as the edge sees it. Rejects with Unavailable while the switch cannot be reached. */
export interface GremlinDesk {
  /** This node does at once as it is told, the others within a second. */
  enable(setting: GremlinSetting, forMs: number): Promise<GremlinStatus>;
  disable(): Promise<GremlinStatus>;
  status(): Promise<GremlinStatus>;
  /** Asked once for every request that it may trouble. */
  bite(target: GremlinTarget): Promise<Bite | undefined>;
}
