/**
 * One process of the product: a Supervisor (bus/node/supervisor.ts) with its own clock, its own ports and its letters.
 * Its callbacks wait while it is paused, and never run again once it is dead.
 */
import { type JournalId, type NodeId, nodeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Post } from '../../actors/ports/letters.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { PaymentRequest } from '../../actors/ports/payments.js';
import type { Logger } from '../../actors/ports/runtime.js';
import type { PaymentOutcome } from '../../actors/protocol.js';
import type { LocalPost, Receiver } from '../../bus/letters/local-post.js';
import type { PartitionHost } from '../../bus/node/partition-host.js';
import { Supervisor } from '../../bus/node/supervisor.js';
import { instantPayments } from '../../bus/payments/mock-provider.js';
import { type Placement, PlacementLoop, type PlacementParts } from '../../bus/placement/placement-loop.js';
import type { Being } from './clock.js';
import { type Faults, NoAnswer } from './faults.js';
import { type Ports, portsOf } from './faulty-ports.js';
import type { Network } from './network.js';
import { Peered } from './peered.js';
import { plannedPlacement } from './planned-placement.js';
import { broadcast, watchedPost } from './posts.js';
import type { Shape, Stores } from './stores.js';
import type { Verdict } from './verdict.js';

export interface Setting extends Shape {
  readonly orderTimeoutMs: number;
  readonly holdTtlMs: number;
  readonly captureOn: 'confirm' | 'ship' | undefined;
  /** The share of holds that the gremlin delays. */
  readonly lateHolds: number;
  readonly recordBytes: number;
  /** The most that fits into one message between nodes. */
  readonly messageBytes: number;
  /** Undefined: each process draws its own value. */
  readonly deliverAtHome: boolean | undefined;
  readonly eventsMayForget: boolean;
  readonly jumpsClock: boolean;
  readonly readSpareMs: number;
  /**
   * Who decides which node takes which partition. `alone`: the product's placement without NATS, one node at a time.
   * `random`: random-placement.ts. `planned`: the product's placement with heartbeats.
   */
  readonly placement: 'alone' | 'random' | 'planned';
}

/** How often a node looks whether it may serve, in the random placement. */
const LOOK_MS = 100;

/** A bug that is planted from outside the product (planted-bugs.ts). */
export interface Plant {
  /** The placement of all seeds; without it each seed draws one. */
  readonly placement?: Setting['placement'];
  /** Wraps the product's ports. */
  readonly ports?: (ports: Ports) => Ports;
  /** Overrides methods of the product's classes. Returns a function that restores them. */
  readonly patch?: () => () => void;
}

export interface Surroundings {
  readonly setting: Setting;
  readonly stores: Stores;
  readonly faults: Faults;
  readonly verdict: Verdict;
  readonly plant: Plant;
  readonly network: Network;
  /** Gives a letter to every running machine that believes it owns the partitions, even to one that has just woken. */
  deliver(to: (receiver: Receiver) => void): void;
  /** Whether the journal's process is believed dead. */
  isGone(journal: JournalId): boolean;
}

export class Machine implements Being {
  state: Being['state'] = 'running';
  readonly held: (() => void)[] = [];
  readonly folder: NodeId;
  readonly life: Supervisor;
  receiver: Receiver | undefined;
  /** Its connection to the other nodes; undefined where each node serves alone. */
  private readonly peered: Peered | undefined;
  isStopping = false;
  /** How often it was paused. */
  sleeps = 0;
  /** The first take-over is complete. */
  hasBegun = false;
  skewMs = 0;

  constructor(
    readonly name: string,
    folder: string,
    private readonly around: Surroundings,
  ) {
    const { setting, stores, faults, verdict, plant } = around;
    this.folder = nodeId(folder);
    const ports = portsOf(this, this.folder, stores, faults, verdict, (request, outcome) =>
      this.answerAgain(request, outcome),
    );
    const clock = faults.timeline.clockOf(this, () => this.skewMs);
    const instantPayment = setting.paymentLatencyMs === 0 ? instantPayments(setting.successRate) : undefined;
    const deliverAtHome = setting.deliverAtHome ?? faults.chance.hits(0.5);
    faults.counters.add(deliverAtHome ? 'neighbours talk at home' : 'every letter has a number');
    this.life = new Supervisor(clock, this.logger());
    const { heartbeats, ...stored } = plant.ports?.(ports) ?? ports;
    this.life.start({
      ...stored,
      node: this.folder,
      nodeName: name,
      partitions: setting.partitions,
      eventsMayForget: setting.eventsMayForget,
      readSpareMs: setting.readSpareMs,
      context: { instantPayment, captureOn: setting.captureOn, holdDelayMs: () => this.holdDelayMs() },
      post: this.post(),
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      source: '/simulation',
      orderTimeoutMs: setting.orderTimeoutMs,
      holdTtlMs: setting.holdTtlMs,
      recordBytes: setting.recordBytes,
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome,
      ...(setting.placement === 'planned' && { heartbeats }),
      placement: (parts) => this.placed(parts),
    });
    if (setting.placement !== 'alone') this.peered = new Peered(this, clock, this.logger(), around);
    this.peered?.serve(this.receiver); // The first incarnation has begun.
    this.life.begun.then(() => {
      this.hasBegun = true;
    });
    this.life.ended.then(
      () => this.end('ended'),
      (error: unknown) => {
        if (!(error instanceof NoAnswer)) verdict.fail('nothing breaks', `${name} failed: ${describe(error)}`);
        this.end('gave up');
      },
    );
  }

  /** The owners as this process's edge sees them. */
  get owners(): Owners {
    return this.peered?.owners ?? this.life;
  }

  /** Answers clients: with others it does so without an incarnation too. */
  get isEdge(): boolean {
    return this.peered === undefined ? this.isServing : this.state === 'running' && !this.isStopping;
  }

  /** Runs an incarnation, and is not paused. */
  get isServing(): boolean {
    if (this.state !== 'running' || this.isStopping) return false;
    return this.peered === undefined ? this.life.absence === undefined : this.life.incarnation !== undefined;
  }

  get host(): PartitionHost | undefined {
    return this.isServing ? this.life.incarnation?.host : undefined;
  }

  private end(how: string): void {
    this.around.faults.timeline.note(`${this.name} ${how}`);
    this.around.faults.counters.add(`process: ${how}`);
    this.state = 'dead';
  }

  private placed(parts: PlacementParts): Placement {
    const { around } = this;
    const { placement } = around.setting;
    if (placement === 'random') return this.placedAtRandom(parts);
    if (placement === 'planned') return plannedPlacement(this, around, parts);
    const alone = new PlacementLoop(parts);
    // Without NATS nobody can tell, and the product has no EVENTS then. Here it has, so somebody ends those of the dead.
    alone.isGone = ({ journal }) => around.isGone(journal);
    return alone;
  }

  /** random-placement.ts asks the host; here is what else a placement does. */
  private placedAtRandom({ clock, onLooked }: PlacementParts): Placement {
    const look = () => {
      onLooked();
      clock.after(LOOK_MS, look);
    };
    return {
      start: look,
      stop() {},
      hint() {},
      ownersChanged() {},
      leave: async () => {},
      memberCount: 3,
      others: [],
      isGone: ({ journal }) => this.around.isGone(journal),
    };
  }

  /** How long the gremlin delays a hold. */
  private holdDelayMs(): number {
    const { faults, setting } = this.around;
    if (faults.isCalm || setting.lateHolds === 0 || !faults.chance.hits(setting.lateHolds)) return 0;
    return faults.chance.whole(20, 5_000);
  }

  /** The provider may repeat an answer later, even one whose caller was gone. */
  private answerAgain({ order, operation, ref }: PaymentRequest, outcome: PaymentOutcome): void {
    const { faults } = this.around;
    if (faults.isCalm || !faults.chance.hits(0.2)) return;
    const answer = () => {
      faults.counters.add(`payment: told ${outcome} once more`);
      this.life.incarnation?.node.paymentAnswered(order, operation, ref, outcome);
    };
    faults.timeline.after(faults.chance.between(0, 1_500), answer, this);
  }

  private post(): LocalPost {
    const { faults, stores, deliver } = this.around;
    const everyone = broadcast(faults, deliver);
    const post = (): Post => this.peered?.post ?? everyone;
    return {
      ...watchedPost(stores.truth, {
        send: (letters) => post().send(letters),
        confirm: (each) => post().confirm(each),
      }),
      deliverTo: (receiver) => {
        this.receiver = receiver;
        this.peered?.serve(receiver);
      },
    };
  }

  /** Fails the run when the product logs a line that means a broken promise. */
  private logger(): Logger {
    const { faults, verdict } = this.around;
    const check = (level: string) => (fields: object, line: string) => {
      faults.timeline.note(`${this.name} ${level}: ${line} ${'cause' in fields ? fields.cause : ''}`);
      if (/threw and had no effect|neither on EVENTS/.test(line)) {
        verdict.fail('nothing breaks', `${this.name} says: ${line} ${JSON.stringify(fields).slice(0, 600)}`);
      }
    };
    return { debug: () => {}, info: check('info'), warn: check('warn'), error: check('error') };
  }
}

export const recordBytesOf = (small: boolean): number => (small ? 9_000 : limits.recordBytes);

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
