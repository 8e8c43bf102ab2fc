/**
 * One process of the product: a Supervisor (bus/node/supervisor.ts) with its own clock, its own ports and its letters.
 * Its callbacks wait while it is paused, and never run again once it is dead.
 */
import { type NodeId, nodeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { NumberedLetter } from '../../actors/ports/letters.js';
import type { PaymentRequest } from '../../actors/ports/payments.js';
import type { Logger } from '../../actors/ports/runtime.js';
import type { PaymentOutcome } from '../../actors/protocol.js';
import type { LocalPost, Receiver } from '../../bus/letters/local-post.js';
import { Supervisor } from '../../bus/node/supervisor.js';
import { instantPayments } from '../../bus/payments/mock-provider.js';
import type { Being } from './clock.js';
import { type Faults, NoAnswer } from './faults.js';
import { type Ports, portsOf } from './faulty-ports.js';
import type { Shape, Stores } from './stores.js';
import type { Verdict } from './verdict.js';

export interface Setting extends Shape {
  readonly orderTimeoutMs: number;
  readonly holdTtlMs: number;
  readonly captureOn: 'confirm' | 'ship' | undefined;
  /** The share of holds that the gremlin delays. */
  readonly lateHolds: number;
  readonly recordBytes: number;
  /** Undefined: each process draws its own value. */
  readonly deliverAtHome: boolean | undefined;
  readonly eventsMayForget: boolean;
  readonly jumpsClock: boolean;
}

/** A bug that is planted from outside the product (planted-bugs.ts). */
export interface Plant {
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
  /** Gives a letter to every running machine that believes it owns the partitions, even to one that has just woken. */
  deliver(to: (receiver: Receiver) => void): void;
}

export class Machine implements Being {
  state: Being['state'] = 'running';
  readonly held: (() => void)[] = [];
  readonly folder: NodeId;
  readonly life: Supervisor;
  receiver: Receiver | undefined;
  isStopping = false;
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
    const ports = portsOf(this, stores, faults, verdict, (request, outcome) => this.answerAgain(request, outcome));
    const clock = faults.timeline.clockOf(this, () => this.skewMs);
    const instantPayment = setting.paymentLatencyMs === 0 ? instantPayments(setting.successRate) : undefined;
    const deliverAtHome = setting.deliverAtHome ?? faults.chance.hits(0.5);
    faults.counters.add(deliverAtHome ? 'neighbours talk at home' : 'every letter has a number');
    this.life = new Supervisor(clock, this.logger());
    this.life.start({
      ...(plant.ports?.(ports) ?? ports),
      node: this.folder,
      nodeName: name,
      partitions: setting.partitions,
      eventsMayForget: setting.eventsMayForget,
      context: { instantPayment, captureOn: setting.captureOn, holdDelayMs: () => this.holdDelayMs() },
      post: this.post(),
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {} },
      source: '/simulation',
      orderTimeoutMs: setting.orderTimeoutMs,
      holdTtlMs: setting.holdTtlMs,
      recordBytes: setting.recordBytes,
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome,
    });
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

  /** Believes that it owns every partition, and is not paused. */
  get isServing(): boolean {
    return this.state === 'running' && !this.isStopping && this.life.incarnation !== undefined;
  }

  private end(how: string): void {
    this.around.faults.timeline.note(`${this.name} ${how}`);
    this.around.faults.counters.add(`process: ${how}`);
    this.state = 'dead';
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
    const { timeline, weather, chance, counters } = faults;
    const carry = (name: string, give: (receiver: Receiver) => void) => {
      if (!faults.isCalm && chance.hits(weather.letterLost)) return counters.add(`${name}: lost`);
      const repeats = !faults.isCalm && chance.hits(weather.letterRepeated) ? 2 : 1;
      counters.add(`${name}: ${repeats === 2 ? 'repeated' : 'delivered'}`);
      for (let i = 0; i < repeats; i++) {
        const delayMs = faults.isCalm ? 1 : chance.next() * weather.letterDelayMs; // Without faults: in order.
        timeline.after(delayMs, () => deliver(give));
      }
    };
    return {
      deliverTo: (receiver) => {
        this.receiver = receiver;
      },
      send: (letters: readonly NumberedLetter[]) => {
        for (const letter of letters) {
          stores.truth.left(letter);
          carry('letter', (receiver) => receiver.letters([letter]));
        }
      },
      confirm: (confirmation) => {
        stores.truth.confirmed(confirmation);
        carry('confirmation', (receiver) => receiver.confirmed(confirmation));
      },
    };
  }

  /** Fails the run when the product logs a line that means a broken promise. */
  private logger(): Logger {
    const { faults, verdict } = this.around;
    const check = (level: string) => (fields: object, line: string) => {
      faults.timeline.note(`${this.name} ${level}: ${line} ${'cause' in fields ? fields.cause : ''}`);
      if (/threw and had no effect|neither on EVENTS|stand still/.test(line)) {
        verdict.fail('nothing breaks', `${this.name} says: ${line} ${JSON.stringify(fields).slice(0, 600)}`);
      }
    };
    return { debug: () => {}, info: check('info'), warn: check('warn'), error: check('error') };
  }
}

export const recordBytesOf = (small: boolean): number => (small ? 9_000 : limits.recordBytes);

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
