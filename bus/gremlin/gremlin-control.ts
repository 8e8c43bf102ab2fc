/**
 * Sets one node's gremlin as the shared switch says. It reads the switch again and again, and obeys a change made on
 * this node at once. The gremlin never bites the calls to the switch.
 */

import type { GremlinDesk, GremlinSwitch } from '../../actors/ports/gremlin.js';
import type {
  Bite,
  GremlinSetting,
  GremlinStanding,
  GremlinStatus,
  GremlinTarget,
} from '../../actors/ports/gremlin-setting.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { within } from '../retry.js';
import type { Gremlin } from './gremlin-decisions.js';

const LOOK_MS = 1_000;
/** While the gremlin is on, or was changed in the last LATELY_MS. */
const LOOK_OFTEN_MS = 500;
const LATELY_MS = 10_000;
const STATUS_MS = 500;

export class GremlinControl implements GremlinDesk {
  private isRunning = false;
  private cancel = () => {};
  private changedAt = Number.NEGATIVE_INFINITY;
  /** Counts the changes made on this node: a read that began before a change must not undo it. */
  private changes = 0;

  constructor(
    private readonly gremlin: Gremlin,
    private readonly store: GremlinSwitch,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.isRunning = true;
    void this.keepLooking();
  }

  /** Switches the gremlin off for good, so that it does not disturb the node's stop. */
  stop(): void {
    this.isRunning = false;
    this.changes++;
    this.cancel();
    this.gremlin.obey(undefined);
  }

  async enable(setting: GremlinSetting, forMs: number): Promise<GremlinStatus> {
    return this.change(() => this.store.enable(this.clock.id(), setting, forMs));
  }

  async disable(): Promise<GremlinStatus> {
    return this.change(async () => {
      await this.store.disable();
      return undefined;
    });
  }

  /** The status from the switch if it answers soon, otherwise the status that this node knows. */
  async status(): Promise<GremlinStatus> {
    await within(this.clock, STATUS_MS, this.look(), 'the switch did not answer').catch(() => {});
    return this.gremlin.status();
  }

  async bite(target: GremlinTarget): Promise<Bite | undefined> {
    return this.gremlin.bite(target);
  }

  // -------------------------------------------------------------- machinery

  private async change(make: () => Promise<GremlinStanding | undefined>): Promise<GremlinStatus> {
    this.changes++;
    try {
      this.obey(await make());
    } catch (error) {
      throw new Unavailable(`the gremlin's switch did not answer: ${String(error)}`);
    } finally {
      this.changes++;
    }
    return this.gremlin.status();
  }

  private async look(): Promise<void> {
    const { changes } = this;
    const standing = await this.store.standing();
    if (changes === this.changes) this.obey(standing);
  }

  private async keepLooking(): Promise<void> {
    await this.look().catch((error) => this.logger.debug({ cause: String(error) }, 'the switch did not answer'));
    if (!this.isRunning) return;
    const isLively = this.gremlin.enabled || this.clock.monotonic() - this.changedAt < LATELY_MS;
    this.cancel = this.clock.after(isLively ? LOOK_OFTEN_MS : LOOK_MS, () => void this.keepLooking());
  }

  private obey(standing: GremlinStanding | undefined): void {
    if (!this.gremlin.obey(standing)) return;
    this.changedAt = this.clock.monotonic();
    if (standing === undefined) this.logger.warn({}, 'the gremlin is off');
    else this.logger.warn({ ...standing.setting, until: new Date(standing.until) }, 'the gremlin is on');
  }
}
