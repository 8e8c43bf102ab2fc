/**
 * One process of the product: a Supervisor (bus/node/supervisor.ts) with its own clock, its way to the services, and its
 * letters. Dead, none of its callbacks ever runs again; paused, they wait.
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
  /** How many holds somebody makes late. */
  readonly lateHolds: number;
  readonly recordBytes: number;
  /** undefined: drawn for each process. */
  readonly deliverAtHome: boolean | undefined;
  readonly eventsMayForget: boolean;
  readonly jumpsClock: boolean;
}

/** A mistake of the product's own, planted from outside (planted-bugs.ts). */
export interface Plant {
  /** Between the product and its ports. */
  readonly ports?: (ports: Ports) => Ports;
  /** Overrides methods of the product's objects; returns what puts them back. */
  readonly patch?: () => () => void;
}

export interface Surroundings {
  readonly setting: Setting;
  readonly stores: Stores;
  readonly faults: Faults;
  readonly verdict: Verdict;
  readonly plant: Plant;
  /** Whoever owns the partition may get the letter, also a sleeper that has just woken. */
  deliver(to: (receiver: Receiver) => void): void;
}

export class Machine implements Being {
  state: Being['state'] = 'running';
  readonly held: (() => void)[] = [];
  readonly folder: NodeId;
  readonly life: Supervisor;
  receiver: Receiver | undefined;
  isStopping = false;
  /** Its first take-over is done. */
  hasBegun = false;
  skewMs = 0;

  constructor(
    readonly name: string,
    folder: string,
    private readonly around: Surroundings,
  ) {
    const { setting, stores, faults, verdict, plant } = around;
    this.folder = nodeId(folder);
    const ports = portsOf(this, stores, faults, verdict, (request, outcome) => this.hearAgain(request, outcome));
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

  /** Sees every partition as its own, and is awake. */
  get isServing(): boolean {
    return this.state === 'running' && !this.isStopping && this.life.incarnation !== undefined;
  }

  private end(how: string): void {
    this.around.faults.timeline.note(`${this.name} ${how}`);
    this.around.faults.counters.add(`process: ${how}`);
    this.state = 'dead';
  }

  /** Somebody plays gremlin. */
  private holdDelayMs(): number {
    const { faults, setting } = this.around;
    if (faults.isCalm || setting.lateHolds === 0 || !faults.chance.hits(setting.lateHolds)) return 0;
    return faults.chance.whole(20, 5_000);
  }

  /** The provider says it once more, also what nobody was there to hear. */
  private hearAgain({ order, operation, ref }: PaymentRequest, outcome: PaymentOutcome): void {
    const { faults } = this.around;
    if (faults.isCalm || !faults.chance.hits(0.2)) return;
    const hear = () => {
      faults.counters.add(`payment: told ${outcome} once more`);
      this.life.incarnation?.node.paymentAnswered(order, operation, ref, outcome);
    };
    faults.timeline.after(faults.chance.between(0, 1_500), hear, this);
  }

  private post(): LocalPost {
    const { faults, stores, deliver } = this.around;
    const { timeline, weather, chance, counters } = faults;
    const carry = (name: string, give: (receiver: Receiver) => void) => {
      if (!faults.isCalm && chance.hits(weather.letterLost)) return counters.add(`${name}: lost`);
      const repeats = !faults.isCalm && chance.hits(weather.letterRepeated) ? 2 : 1;
      counters.add(`${name}: ${repeats === 2 ? 'repeated' : 'delivered'}`);
      for (let i = 0; i < repeats; i++) {
        const delayMs = faults.isCalm ? 1 : chance.next() * weather.letterDelayMs; // In calm weather, in order.
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

  /** Some lines must never be logged. */
  private logger(): Logger {
    const { faults, verdict } = this.around;
    const hear = (level: string) => (fields: object, line: string) => {
      faults.timeline.note(`${this.name} ${level}: ${line} ${'cause' in fields ? fields.cause : ''}`);
      if (/threw and had no effect|neither on EVENTS|stand still/.test(line)) {
        verdict.fail('nothing breaks', `${this.name} says: ${line} ${JSON.stringify(fields).slice(0, 600)}`);
      }
    };
    return { debug: () => {}, info: hear('info'), warn: hear('warn'), error: hear('error') };
  }
}

export const recordBytesOf = (small: boolean): number => (small ? 9_000 : limits.recordBytes);

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
