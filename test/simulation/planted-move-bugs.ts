/** Typical bugs of nodes that give partitions to one another, planted as those of planted-bugs.ts. */
import type { JournalId, NodeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { isHeld, type Ownership, withRelease } from '../../actors/node/claims.js';
import { HomeLetters } from '../../actors/node/home-letters.js';
import { LetterRoutes } from '../../actors/node/letter-routes.js';
import { LookUps } from '../../actors/node/lookups.js';
import { Node } from '../../actors/node/node.js';
import { PartitionLife } from '../../actors/node/partition-life.js';
import { type Claim, type ClaimsRecord, type Join, journalLog } from '../../actors/node/record.js';
import type { World } from '../../actors/node/world.js';
import { Judge, type Sight } from '../../actors/placement/judge.js';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';
import type { Letter } from '../../actors/protocol.js';
import { EventOrder } from '../../bus/events/event-order.js';
import { Janitor } from '../../bus/journal/janitor.js';
import { JournalLook } from '../../bus/journal/journal-look.js';
import { NodeHost } from '../../bus/node/node-host.js';
import type { OwnershipMap } from '../../bus/node/ownership-map.js';
import { AsksMade } from '../../bus/peers/asks-made.js';
import { AsksServed } from '../../bus/peers/asks-served.js';
import type { Answer, Wanted } from '../../bus/peers/messages.js';
import { ReadCache } from '../../bus/reads/read-cache.js';
import { onSnapshots, over, type PlantedBug } from './planting.js';

// ---------------------------------------------------------------- how they are planted

/** The private members that the planted methods use. */
interface HostParts {
  readonly journal: JournalId;
  readonly parts: {
    readonly ownership: OwnershipMap;
    readonly machine: Node;
    readonly driver: { enter(work: () => void): void };
  };
}

interface Claims {
  readonly records: readonly ClaimsRecord[];
}

type Release = [ReadonlyMap<number, number>, number, NodeId | undefined, () => boolean];
type Epochs = ReadonlyMap<number, number>;

// ---------------------------------------------------------------- the bugs

export const plantedMoveBugs: readonly PlantedBug[] = [
  {
    name: 'a take-over seals whoever holds the partitions',
    breaks: 'take-over.S2',
    patch: over<[readonly number[], readonly JournalId[]], Promise<void>>(NodeHost, 'take', (original) => {
      return async function (partitions) {
        const { map } = await (this as HostParts).parts.ownership.refresh();
        return original.call(
          this,
          partitions,
          map.filter(isHeld).map(({ journal }) => journal),
        );
      };
    }),
  },
  {
    name: 'a journal without partitions counts as left behind, though its writer lives',
    breaks: 'janitor.N3',
    patch: over<[JournalRow, Claims], boolean>(Janitor, 'isAbandoned', () => {
      return ({ journal, closed }, { records }) =>
        !closed && records.at(-1)?.map.some((claim) => isHeld(claim) && claim.journal === journal) === false;
    }),
  },
  {
    name: 'a take-over closes the rows of all other journals',
    breaks: 'take-over.S3, hazard 16',
    ports: onSnapshots(({ closeJournals, journals }) => ({
      async closeJournals(sealed) {
        if (sealed.length === 0) return closeJournals(sealed);
        const open = (await journals()).filter(({ closed }) => !closed);
        return closeJournals([...new Set([...sealed, ...open.map(({ journal }) => journal)])]);
      },
    })),
  },
  {
    name: 'a partition runs without a record of its join',
    breaks: 'node.N8',
    patch: over<[World, readonly Join[]], void>(Node, 'join', () => {
      return function (world) {
        const node = this as Node;
        node.lives.begin(world, node.appendedTo.n);
      };
    }),
  },
  {
    name: 'the events that a join names are not awaited',
    breaks: 'event-order.O1',
    patch: over<[], Promise<[]>>(EventOrder, 'before', () => async () => []),
  },
  {
    name: 'a partition goes on after its release had no answer',
    foundBy: 95,
    breaks: 'node-host.H2',
    patch: over<Release, Promise<boolean>>(NodeHost, 'release', (original) => {
      return async function (epochs, n, to, stopped) {
        const { journal, parts } = this as HostParts;
        const { ownership, machine, driver } = parts;
        let attempts = 0;
        const make = ({ map }: Ownership) => withRelease(map, epochs, { journal, n, to });
        const isLast = () => stopped() || attempts++ > 0;
        const isShown = await ownership.change({ by: journal, make, stopped: isLast });
        if (isShown || stopped()) return original.call(this, epochs, n, to, stopped);
        driver.enter(() => {
          for (const partition of epochs.keys()) if (machine.world.owned.has(partition)) machine.lives.thaw(partition);
        });
        return false;
      };
    }),
  },
  {
    name: 'a partition is released during a turn of it',
    breaks: 'partition-life.Q3, hazard 7',
    patch: over<[number, number], number | undefined>(PartitionLife, 'releasable', () => (_, flushedN) => flushedN),
  },
  {
    name: 'a letter is handled at home although its partition is frozen',
    breaks: 'turn.T3, turn.T4',
    patch: over<[number, Letter, string, Letter[], object[]], void>(LetterRoutes, 'route', (original) => {
      return function (from, letter, correlation, queue, numbered) {
        const { world, deliverAtHome } = this as { readonly world: World; readonly deliverAtHome: boolean };
        const home = world.owned.get(world.partitionOf(letter.to));
        if (deliverAtHome && home?.isFrozen === true) queue.push(letter);
        else original.call(this, from, letter, correlation, queue, numbered);
      };
    }),
  },
  {
    name: 'an answer to a look-up counts whatever has moved meanwhile',
    foundBy: 536,
    breaks: 'lookups.L3, hazard 6',
    patch: over<[number, () => Epochs], object | undefined>(LookUps, 'next', (original) => {
      return function (most, epochs) {
        const query = original.call(this, most, epochs);
        if (query !== undefined) Object.assign(this as object, { epochs: { get: (at: number) => epochs().get(at) } });
        return query;
      };
    }),
  },
  {
    name: 'the stamps of cached orders are kept when their partition leaves',
    breaks: 'read-cache.K4, hazard 13',
    patch: over<[], void>(ReadCache, 'forgetAll', () => () => {}),
  },
  {
    name: 'a fresh id is believed from every edge',
    foundBy: 58,
    breaks: 'asks-served.S1, hazard 6',
    patch: over<unknown[], void>(AsksServed, 'serve', (original) => {
      return function (...args) {
        return original.apply(Object.assign(this as object, { newness: { isNew: () => true } }), args);
      };
    }),
  },
  {
    name: 'a sealed journal is forgotten by the first of its successors',
    breaks: 'janitor.N1, hazard 15',
    patch: over<[JournalRow, readonly JournalRow[], Claims, Epochs], boolean>(Janitor, 'isRemovable', (original) => {
      return function (row, rows, claims, marks) {
        const { journal } = (this as { readonly parts: { readonly journal: JournalId } }).parts;
        const map: readonly (Claim | null)[] = claims.records.at(-1)?.map ?? [];
        const mine = new Map(marks);
        for (const [partition, claim] of map.entries()) {
          if (claim?.journal !== journal) mine.set(partition, Number.POSITIVE_INFINITY);
        }
        return map.some((claim) => claim?.journal === journal) && original.call(this, row, rows, claims, mine);
      };
    }),
  },
  {
    name: 'the writes that a join replays are not remembered',
    breaks: 'partition-life.Q1, hazard 17',
    patch: over<unknown[], void>(PartitionLife, 'remember', (original) => {
      return function (...args) {
        const { node } = this as { readonly node: object };
        return original.apply({ node: { ...node, writes: { add() {} } } }, args);
      };
    }),
  },
  {
    name: 'the timers and payments of a later partition do not begin',
    breaks: 'partition-life.Q1, hazard 17',
    patch: over<unknown[], void>(PartitionLife, 'begin', (original) => {
      return function (...args) {
        const { node } = this as { readonly node: object };
        return original.apply(Object.assign(Object.create(this as object), { node: { ...node, follow() {} } }), args);
      };
    }),
  },
  {
    name: 'letters that had their effect elsewhere are not confirmed at the join',
    foundBy: 28,
    breaks: 'home-letters',
    patch: over<[], void>(HomeLetters, 'joined', () => {
      return function () {
        (this as HomeLetters).look();
      };
    }),
  },
  {
    name: "a read is answered without a look at the journal's end",
    foundBy: 35,
    breaks: 'journal-look',
    patch: over<[], Promise<void>>(JournalLook, 'look', () => async () => {}),
  },
  {
    name: 'a request is still fresh when it is asked again',
    breaks: 'asks-made.A1, hazard 6',
    patch: over<[{ wasSent: boolean }], void>(AsksMade, 'advance', (original) => {
      return function (made) {
        made.wasSent = false;
        original.call(this, made);
      };
    }),
  },
  {
    name: 'the order that a key names is taken for none when its owner does not answer',
    foundBy: 12,
    breaks: 'routed-owners.R3',
    patch: over<[Wanted, number, number, boolean], Promise<Answer>>(AsksMade, 'ask', (original) => {
      return async function (wanted, partition, patienceMs, ...rest) {
        // A read by a client has another patience.
        const isOfKey = wanted.kind === 'order' && patienceMs !== limits.statementMs;
        if (!isOfKey) return original.call(this, wanted, partition, patienceMs, ...rest);
        const answer = await original.call(this, wanted, partition, patienceMs / 2, ...rest);
        return 'failed' in answer ? { state: undefined } : answer;
      };
    }),
  },
  {
    name: "a journal is trimmed past its row's place, which a loader compares",
    breaks: 'trimmer.F1, hazard 8',
    ports: (ports) => ({
      ...ports,
      snapshots: {
        ...ports.snapshots,
        async write(journal, statement) {
          const answer = await ports.snapshots.write(journal, statement);
          if (answer === 'written' && statement.kind === 'last')
            ports.log.trim(journalLog(journal), statement.to.position).catch(() => {});
          return answer;
        },
      },
    }),
  },
  {
    name: 'nodes are judged over an outage of the broker',
    foundBy: 27,
    breaks: 'judge.J2 and J3',
    placement: 'planned',
    patch: over<[Sight], void>(Judge, 'see', (original) => {
      return function (sight) {
        countAllTime(this, sight);
        original.call(this, { ...sight, isClear: true });
      };
    }),
  },
  {
    name: 'nodes are judged while Postgres is away',
    foundBy: 41,
    breaks: 'judge.J2 and J4',
    placement: 'planned',
    patch: over<[Sight], void>(Judge, 'see', (original) => {
      return function (sight) {
        countAllTime(this, sight);
        original.call(this, { ...sight, postgresAnswers: true });
      };
    }),
  },
];

/** A judge that was late counts the time in which it watched nobody. */
function countAllTime(judge: unknown, { atMs }: Sight): void {
  const clock = judge as { lastAtMs: number | undefined; runningMs: number };
  clock.runningMs += atMs - (clock.lastAtMs ?? atMs);
  clock.lastAtMs = atMs;
}
