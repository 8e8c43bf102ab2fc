/**
 * Holdfast's own placement, watched at the moment in which it takes journals for dead.
 *
 *  L1. Whoever puts its heartbeats is not taken for dead (judge.J1).
 *  L2. Nobody is taken for dead while the heartbeats or the journals cannot be reached, or right after (judge.J3).
 *  L3. Nobody's journal is taken over while Postgres is away (judge.J4). Who is gone may be told: nothing is done with it.
 *
 * A step of placement takes time, so each law leaves room for it.
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Members } from '../../actors/ports/members.js';
import type { PartitionHost } from '../../bus/node/partition-host.js';
import { type Placement, PlacementLoop, type PlacementParts } from '../../bus/placement/placement-loop.js';
import type { Machine, Surroundings } from './machine.js';

/** The longest time between what a step sees and what it does. */
const STEP_MS = limits.placementStepMs + limits.placementCallMs;

export function plannedPlacement(machine: Machine, around: Surroundings, parts: PlacementParts): Placement {
  const looks = new Looks(around.faults.timeline);
  const watched = new WeakMap<PartitionHost, PartitionHost>();
  const watch = (host: PartitionHost): PartitionHost => ({
    journal: host.journal,
    states: () => host.states(),
    preload: (partition) => host.preload(partition),
    unload: (partition) => host.unload(partition),
    giveAway(partition, to, deadlineMs) {
      around.faults.counters.add('placement: gives what another should have');
      return host.giveAway(partition, to, deadlineMs);
    },
    take(partitions, dead) {
      for (const journal of dead) {
        judged(machine, around, journal, looks.beganMs);
        takenOver(machine, around, journal);
      }
      around.faults.counters.add(`placement: takes what is ${dead.length > 0 ? 'of the dead' : 'free'}`);
      return host.take(partitions, dead);
    },
  });
  const host = () => {
    const running = parts.host();
    if (running === undefined) return undefined;
    const known = watched.get(running) ?? watch(running);
    watched.set(running, known);
    return known;
  };
  const onLooked = () => {
    looks.judged();
    parts.onLooked();
  };
  const loop = new PlacementLoop({ ...parts, host, onLooked, members: parts.members && looks.over(parts.members) });
  const isGone = loop.isGone.bind(loop);
  // Who is gone may have left journals behind (janitor.N3).
  loop.isGone = (of) => {
    const answer = isGone(of);
    if (answer) judged(machine, around, of.journal, looks.judgedMs);
    return answer;
  };
  return loop;
}

/** When a placement asked for the heartbeats. */
class Looks {
  /** The last time that had an answer. */
  beganMs = Number.NEGATIVE_INFINITY;
  /** The last time whose answer was judged. */
  judgedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly timeline: { readonly nowMs: number }) {}

  over(members: Members): Members {
    return {
      put: (heartbeat) => members.put(heartbeat),
      all: async () => {
        const { nowMs } = this.timeline;
        const seen = await members.all();
        this.beganMs = nowMs;
        return seen;
      },
    };
  }

  judged(): void {
    this.judgedMs = this.beganMs;
  }
}

function judged(by: Machine, { stores, faults, verdict }: Surroundings, journal: JournalId, lookedMs: number): void {
  const { ownership } = stores.truth;
  const node = ownership.nodeOf(journal);
  ownership.judged.add(journal);
  if (node === by.folder) return; // This process holds the lock of the folder.
  const wrong = (why: string) =>
    verdict.fail('nobody is judged too early', `${by.name} takes ${node} for dead: ${why}`);
  const { nowMs } = faults.timeline;
  const agesMs = (stores.heartbeatsAtMs.get(node ?? '') ?? []).map((atMs) => lookedMs - atMs);
  // What a look sees counts as seen when its step began, up to a call earlier.
  const isHeard = agesMs.some((age) => age > 0 && age < limits.silentMs - limits.placementCallMs);
  if (isHeard) wrong(`its heartbeats were ${agesMs} ms old when it looked`);
  for (const service of ['bus', 'log'] as const) {
    const { sinceMs, untilMs } = faults.lastAway(service);
    // A step may have looked right before, and have waited for the journals and Postgres since.
    const wasMissed = Math.min(nowMs, untilMs) - sinceMs > STEP_MS + limits.placementCallMs;
    if (wasMissed && nowMs < untilMs + limits.silentMs - STEP_MS) wrong(`${service} was away`);
  }
}

function takenOver(by: Machine, { stores, faults, verdict }: Surroundings, journal: JournalId): void {
  const node = stores.truth.ownership.nodeOf(journal);
  const { sinceMs, untilMs } = faults.lastAway('storage');
  const { nowMs } = faults.timeline;
  if (node === by.folder || nowMs >= untilMs || nowMs - sinceMs <= STEP_MS) return;
  verdict.fail('nobody is judged too early', `${by.name} takes over from ${node} while Postgres is away`);
}
