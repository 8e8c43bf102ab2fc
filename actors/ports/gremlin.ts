/** The gremlin: one switch for all nodes, and its bites. Types only; a contract suite tests each promise. */
import type { Bite, GremlinSetting, GremlinStanding, GremlinStatus, GremlinTarget } from './gremlin-setting.js';

/** One switch for all nodes. A setting ends by itself, by the switch's own clock. */
export interface GremlinSwitch {
  /** Replaces the present setting. */
  enable(id: string, setting: GremlinSetting, forMs: number): Promise<GremlinStanding>;
  disable(): Promise<void>;
  /** The present setting; undefined when the gremlin is off or its time is over. */
  standing(): Promise<GremlinStanding | undefined>;
}

/** The gremlin as the edge sees it. Rejects with Unavailable while the switch cannot be reached. */
export interface GremlinDesk {
  /** This node applies the setting at once, the others within a second. */
  enable(setting: GremlinSetting, forMs: number): Promise<GremlinStatus>;
  disable(): Promise<GremlinStatus>;
  status(): Promise<GremlinStatus>;
  /** Called once for every call that the gremlin may trouble. */
  bite(target: GremlinTarget): Promise<Bite | undefined>;
}
