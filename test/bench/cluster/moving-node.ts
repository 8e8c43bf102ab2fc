// The product's process with one change: beside its own placement, which does everything else, partitions move at random
// after a SIGUSR2. A node preloads one that another node has and wants it in its heartbeat; that node gives whatever anybody
// wants.

import type { NodeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { Members, Seen, Want } from '../../../actors/ports/members.js';
import { PlacementLoop, type PlacementParts } from '../../../bus/placement/placement-loop.js';
import { readConfig } from '../../../deploy/config/config.js';
import { Holdfast } from '../../../deploy/holdfast.js';
import { createLogger } from '../../../deploy/telemetry/logger.js';

const WANT_EVERY_MS = Number(process.env.MOVE_EVERY_MS);
/** A want that nobody has fulfilled by then is none. */
const WANTED_MS = 3_000;

class Restless {
  /** When each want ends, on the monotonic clock. */
  private readonly wants = new Map<Want, number>();
  private readonly giving = new Set<number>();

  constructor(private readonly parts: PlacementParts) {
    process.once('SIGUSR2', () => setInterval(() => void this.want().catch(() => {}), WANT_EVERY_MS).unref());
  }

  /** The bucket of heartbeats, with these wants in it. */
  over(members: Members): Members {
    return {
      put: (heartbeat) => {
        const now = performance.now();
        for (const [want, endsAt] of this.wants) if (endsAt < now) this.wants.delete(want);
        return members.put({ ...heartbeat, wants: [...heartbeat.wants, ...this.wants.keys()] });
      },
      all: async () => {
        const seen = await members.all();
        this.give(seen);
        return seen;
      },
    };
  }

  private async want(): Promise<void> {
    const { ownership, node } = this.parts;
    const host = this.parts.host();
    const theirs = ownership.ownership.map.flatMap((claim, partition) =>
      claim !== null && claim.released === undefined && claim.node !== node ? [{ partition, epoch: claim.epoch }] : [],
    );
    const want = theirs[Math.floor(Math.random() * theirs.length)];
    if (host === undefined || want === undefined || isStopping) return;
    await host.preload(want.partition);
    this.wants.set(want, performance.now() + WANTED_MS);
  }

  private give(seen: readonly Seen[]): void {
    for (const { heartbeat } of seen) {
      if (heartbeat.node === this.parts.node || heartbeat.leaving || isStopping) continue;
      for (const want of heartbeat.wants) this.giveOne(want, heartbeat.node);
    }
  }

  private giveOne({ partition, epoch }: Want, to: NodeId): void {
    const host = this.parts.host();
    const mine = host?.states().get(partition);
    if (host === undefined || mine?.state !== 'running' || mine.epoch !== epoch || this.giving.has(partition)) return;
    this.giving.add(partition);
    const over = () => this.giving.delete(partition);
    host.giveAway(partition, to, limits.giveAwayMs).then(over, over); // It goes on here, or at the other node.
  }
}

let isStopping = false;
const config = readConfig(process.env);
const holdfast = new Holdfast(config, createLogger(config), (parts) => {
  if (parts.members === undefined) throw new Error('without NATS nothing moves');
  return new PlacementLoop({ ...parts, members: new Restless(parts).over(parts.members) });
});
process.on('SIGTERM', () => {
  isStopping = true;
  holdfast.stop().catch((error: unknown) => console.error(error));
});
await holdfast.run();
await holdfast.stop();
process.exit(0);
