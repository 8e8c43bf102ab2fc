/**
 * Clients that send acts to existing orders: cancel, ship, deliver, return, refund, extend, move. No later answer may
 * contradict an earlier one, and an accepted act has its effect once, however often it is repeated.
 */

import { type OrderId, userId, type WriteId, writeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { type OrderState, type Phase, revision } from '../../actors/order/order.js';
import { leftToReturn, leftToShip } from '../../actors/order/order-fulfilment.js';
import { hasPersonalData } from '../../actors/order/personal-data.js';
import { STATUSES, statusOf } from '../../actors/order/transitions.js';
import type { ActReply } from '../../actors/ports/owners.js';
import type { Act, Line, OrderAct } from '../../actors/protocol.js';
import type { Clients } from './clients.js';
import type { Chance } from './clock.js';
import type { Cluster } from './cluster.js';
import { tracedOrNot } from './traced.js';
import type { Truth } from './truth.js';

interface PendingAct {
  readonly order: OrderId;
  readonly ref: WriteId;
  readonly command: OrderAct;
  /** Another body was sent under its ref too. */
  isTwo: boolean;
  /** An answer said that the act is done. */
  isDone: boolean;
  /** By fingerprint: the refusal that the order must remember. */
  readonly refused: Map<string, string>;
}

interface Condition {
  readonly ifVersions?: readonly number[];
  readonly user?: OrderState['content']['user'];
}

const ACTS = [
  'cancel',
  'ship',
  'deliver',
  'requestReturn',
  'receiveReturn',
  'refund',
  'extendHold',
  'move',
  'forget',
] as const;
type Kind = (typeof ACTS)[number];

const LIKELY: { readonly [P in Phase]: readonly [Kind, ...Kind[]] } = {
  absent: ['cancel'],
  holding: ['cancel', 'extendHold', 'extendHold', 'move'],
  charging: ['cancel', 'extendHold', 'extendHold', 'move'],
  confirmed: ['ship', 'ship', 'ship', 'move', 'deliver', 'cancel', 'requestReturn', 'receiveReturn', 'refund'],
  shipped: ['deliver', 'deliver', 'requestReturn', 'requestReturn', 'receiveReturn', 'refund', 'move', 'forget'],
  delivered: ['requestReturn', 'requestReturn', 'receiveReturn', 'receiveReturn', 'refund', 'deliver', 'forget'],
  cancelled: ['cancel', 'ship', 'forget'],
  failed: ['cancel', 'extendHold', 'forget'],
};

export class Acts {
  private readonly remembersAllItCan = new Set<OrderId>();
  readonly asked = new Map<WriteId, PendingAct>();
  private count = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly clients: Clients,
  ) {}

  /** Sends an act: mostly a legal one, sometimes a repeat, or two rivals at the same moment. */
  ask(order: OrderId, chance: Chance, waitMs: number): void {
    const { counters } = this.faults;
    const state = this.truth.orders.get(order);
    const draw = chance.next();
    const old = chance.any([...this.asked.values()].filter((asked) => asked.order === order));
    if (draw < 0.15 && old !== undefined) return this.send(old, old.command, waitMs);
    if (draw < 0.2 && old !== undefined) {
      counters.add('act: another body under its ref');
      old.isTwo = true;
      const act = { ref: old.ref, fingerprint: 'another body' };
      return this.send(old, { ...old.command, act } as OrderAct, waitMs);
    }
    const kind = draw < 0.3 ? chance.pick(ACTS) : chance.pick(likely(state));
    const asked = this.new(order, kind, state, chance);
    if (chance.hits(0.2)) this.sendLate(asked, chance);
    for (let i = chance.pick([1, 1, 1, 2, 3]); i > 0; i--)
      this.send(asked, asked.command, waitMs, this.condition(chance, state));
    if (draw < 0.8) return;
    const rival = this.new(order, kind === 'cancel' ? 'ship' : 'cancel', state, chance);
    if (state?.phase === 'confirmed') counters.add('act: cancel against ship');
    if (state?.phase === 'charging') counters.add('act: cancel while the provider is asked');
    this.send(rival, rival.command, waitMs);
  }

  /** Repeats every act: an act that was done is neither done again nor refused. */
  askAllAgain(): void {
    for (const asked of this.asked.values()) this.send(asked, asked.command, 3_000);
  }

  /** Sends each unfinished order its next legal act. @returns how many it sent; 0 when every order has ended */
  toTheEnd(chance: Chance, round: number): number {
    let count = 0;
    for (const state of this.truth.orders.values()) {
      const kind = this.nextStep(state, chance, round);
      if (kind === undefined) continue;
      count++;
      const asked = this.new(state.id, kind, state, chance, true);
      this.send(asked, asked.command, 3_000, {}, true);
    }
    return count;
  }

  // -------------------------------------------------------------- the choice of acts

  private nextStep(state: OrderState, chance: Chance, round: number): Kind | undefined {
    const { phase, payment, life } = state;
    if (this.remembersAllItCan.has(state.id)) return undefined;
    if (life.returns.some(({ status }) => status === 'requested')) return 'receiveReturn';
    const isElsewhere = life.imported !== undefined; // Nobody may cancel or return it here.
    if (phase === 'delivered' && !isElsewhere && round < 6 && chance.hits(life.returns.length > 0 ? 0.6 : 0.1))
      return leftToReturn(state).some(({ quantity }) => quantity > 0) ? 'requestReturn' : undefined;
    if (phase === 'shipped') return 'deliver';
    if (phase !== 'confirmed') return undefined;
    if (life.fulfillments.length > 0 || isElsewhere) return 'ship';
    return payment === 'failed' || payment === 'refunded' || chance.hits(0.2) ? 'cancel' : 'ship';
  }

  private condition(chance: Chance, state: OrderState | undefined): Condition {
    if (state === undefined || !chance.hits(0.15)) return {};
    if (chance.hits(0.3)) return { user: userId('a stranger') };
    return chance.hits(0.5) ? { ifVersions: [revision(state)] } : { ifVersions: [revision(state) - 1] };
  }

  private new(order: OrderId, kind: Kind, state: OrderState | undefined, chance: Chance, whole = false): PendingAct {
    const ref = writeId(this.faults.timeline.id());
    const command = commandOf(kind, { ref, fingerprint: `f${ref}` }, state, chance, whole);
    const asked = { order, ref, command, isTwo: false, isDone: false, refused: new Map<string, string>() };
    this.asked.set(ref, asked);
    return asked;
  }

  // -------------------------------------------------------------- sending, and the check of answers

  /** Sends an act that arrives late. Its client has given up, and never gets this answer. */
  private sendLate({ order, command }: PendingAct, chance: Chance): void {
    this.faults.timeline.after(chance.between(0, 8_000), () => {
      this.cluster
        .anyEdge()
        ?.owners.act({ order, command, correlation: tracedOrNot(`late-${++this.count}`, this.count) }, 3_000);
    });
  }

  private send(asked: PendingAct, command: OrderAct, waitMs: number, condition: Condition = {}, must = false): void {
    const { order } = asked;
    const machine = this.cluster.anyEdge();
    if (machine === undefined) return;
    const stood = this.truth.orders.get(order)?.version ?? 0;
    const owner = this.cluster.ownerOfOrder(order);
    const { incarnation } = machine.life;
    const isKnown = this.truth.orders.has(order);
    if (isKnown && owner?.life.incarnation?.node.world.orders.has(order) === false)
      this.faults.counters.add('act: of an order that has left memory');
    // An act without a key needs no room in the order's memory of answers.
    const isFull = (this.truth.orders.get(order)?.life.answered?.length ?? 0) >= limits.answeredActs;
    const request = {
      order,
      command,
      correlation: tracedOrNot(`a${++this.count}`, this.count),
      fresh: must && isFull,
      ...condition,
    };
    this.clients.await(machine, `${command.type} ${order}`, waitMs, machine.owners.act(request, waitMs), (reply) => {
      this.checkReply(asked, command, reply, condition);
      if (reply.kind === 'unavailable') return;
      const { verdict } = this.cluster.around;
      if (reply.state !== undefined && reply.state.version < stood)
        verdict.fail(
          'read your writes',
          `${machine.name} answers ${command.type} of order ${order} at version ${reply.state.version}, it was at ${stood}`,
        );
      if (reply.kind === 'done') return;
      // A long run may ask one order so often that it remembers all the answers that it can.
      if (reply.refusal === 'too_many_acts') this.remembersAllItCan.add(order);
      // Another client may have done the same meanwhile, in another way.
      else if (must && reply.refusal !== 'done_otherwise')
        verdict.fail('progress', `order ${order} may not go on to ${command.type}: ${reply.refusal}`);
      const isAlone = machine.owners === machine.life;
      const mayKnow = !isAlone || (machine === owner && machine === this.cluster.ownerOfOrder(order));
      const isSame = !isAlone || machine.life.incarnation === incarnation;
      if (reply.refusal === 'unknown_order' && isKnown && mayKnow && isSame && condition.user === undefined)
        verdict.fail('read your writes', `order ${order} is not known to ${machine.name}`);
    });
  }

  private checkReply(asked: PendingAct, command: OrderAct, reply: ActReply, { user, ifVersions }: Condition): void {
    const { verdict } = this.cluster.around;
    const { order, ref } = asked;
    const name = `${command.type} ${ref} of order ${order}`;
    this.faults.counters.add(`act: ${command.type} ${reply.kind}`);
    if (reply.kind === 'unavailable') return;
    const stands = this.truth.orders.get(order);
    const stored = stands?.life.acts.find((act) => act.ref === ref);
    const answered = stands?.life.answered?.find((act) => act.ref === ref);
    const { fingerprint } = command.act;
    if (reply.kind === 'refused') {
      this.faults.counters.add(`act: refused ${reply.refusal}`);
      if (reply.refusal === 'too_large' || reply.refusal === 'broken')
        verdict.fail('nothing breaks', `${name} was refused as ${reply.refusal}`);
      if (
        asked.isDone &&
        stored?.fingerprint === command.act.fingerprint &&
        user === undefined &&
        ifVersions === undefined
      )
        verdict.fail('a repeat is an answer', `${name}: done, then ${reply.refusal}`);
      if (reply.refusal === 'other_body' && !asked.isTwo)
        verdict.fail('a repeat is an answer', `${name}: ${reply.refusal}, and it was only ever asked so`);
      if (FORGOTTEN.includes(reply.refusal) || stands === undefined || user !== undefined) return;
      const before = asked.refused.get(fingerprint) ?? reply.refusal;
      if (before !== reply.refusal) verdict.fail('a repeat is an answer', `${name}: ${before}, then ${reply.refusal}`);
      if (answered?.refused !== reply.refusal || answered.fingerprint !== fingerprint)
        verdict.fail('a no stays a no', `${name}: ${reply.refusal}, and the order does not remember it`);
      asked.refused.set(fingerprint, reply.refusal);
      return;
    }
    if (asked.refused.has(fingerprint))
      verdict.fail('a no stays a no', `${name}: ${asked.refused.get(fingerprint)}, then done`);
    if (reply.repeat) this.faults.counters.add('act: repeated');
    if (user !== undefined) verdict.fail('a repeat is an answer', `${name} was done for a stranger`);
    if (stands === undefined || reply.state.version > stands.version)
      return verdict.fail('a 2xx is durable', `${name} was told before it was appended`);
    if (stored === undefined && answered === undefined && !isSo(command, stands))
      return verdict.fail('a 2xx is durable', `${name} was told as done, and is not in its journal`);
    if (stored !== undefined && stored.fingerprint !== command.act.fingerprint)
      return verdict.fail('a repeat is an answer', `${name} was done with another body under its ref`);
    if (stored !== undefined) asked.isDone = true;
  }

  private get truth(): Truth {
    return this.cluster.around.stores.truth;
  }

  private get faults() {
    return this.cluster.around.faults;
  }
}

/** Refusals that the order does not remember: they can never become a yes, or an existing order did not decide them. */
const FORGOTTEN: readonly string[] = ['other_body', 'changed', 'unknown_order', 'too_many_acts', 'too_large', 'broken'];

/** A capture may be under way, so acts that meet it are likely: a cancel then voids a captured payment. */
function likely(state: OrderState | undefined): readonly [Kind, ...Kind[]] {
  if (state?.phase === 'confirmed' && state.payment === 'authorized') return ['cancel', 'cancel', 'ship'];
  return LIKELY[state?.phase ?? 'absent'];
}

function commandOf(kind: Kind, act: Act, state: OrderState | undefined, chance: Chance, whole: boolean): OrderAct {
  const some = (from: (state: OrderState) => Line[]) => {
    const lines = whole || state === undefined || chance.hits(0.3) ? [] : part(from(state), chance);
    return lines.length > 0 ? { lines } : {};
  };
  /** One piece of the first line that has any left. */
  const one = (from: (state: OrderState) => Line[]) => {
    const first = state && from(state).find(({ quantity }) => quantity > 0);
    return first === undefined ? {} : { lines: [{ ...first, quantity: 1 }] };
  };
  switch (kind) {
    case 'ship':
      return { type: kind, act, ...some(leftToShip), ...(chance.hits(0.5) && { tracking: `T${act.ref}` }) };
    case 'requestReturn':
      return { type: kind, act, ...(whole ? one(leftToReturn) : some(leftToReturn)), reason: 'broken' };
    case 'deliver': {
      const fulfillment = whole || chance.hits(0.5) ? undefined : chance.any(state?.life.fulfillments ?? [])?.id;
      return fulfillment === undefined ? { type: kind, act } : { type: kind, act, fulfillment };
    }
    case 'receiveReturn': {
      const open = state?.life.returns.filter(({ status }) => status === 'requested') ?? [];
      const one = chance.any(chance.hits(0.8) ? open : (state?.life.returns ?? []));
      return { type: kind, act, returned: one?.id ?? 'no such return', restock: chance.hits(0.7) };
    }
    case 'refund':
      return chance.hits(0.4) ? { type: kind, act } : { type: kind, act, minor: chance.pick([1, 50, 250, 1_000]) };
    case 'forget':
      return { type: kind, act, ...(chance.hits(0.5) && { unshipped: true }) };
    case 'move':
      return { type: kind, act, to: chance.any(STATUSES) ?? 'shipped' };
    default:
      return { type: kind, act };
  }
}

/** Some pieces of some lines, sometimes one too many. */
const part = (lines: readonly Line[], chance: Chance): Line[] =>
  lines
    .filter(({ quantity }) => quantity > 0 && chance.hits(0.7))
    .map(({ product, quantity }) => ({ product, quantity: chance.whole(1, quantity) + (chance.hits(0.1) ? 1 : 0) }));

/** The order is already as the act wants it, so the act changed nothing. */
function isSo(command: OrderAct, state: OrderState): boolean {
  const { phase, life, payment } = state;
  switch (command.type) {
    case 'cancel':
      return phase === 'cancelled';
    case 'ship':
      return command.lines === undefined && leftToShip(state).every(({ quantity }) => quantity === 0);
    case 'deliver':
      // The act does not cover later shipments.
      return life.fulfillments.some(
        ({ id, deliveredAt }) => deliveredAt !== undefined && (command.fulfillment ?? id) === id,
      );
    case 'receiveReturn':
      return life.returns.some(({ id, status }) => id === command.returned && status !== 'requested');
    case 'refund':
      return payment === 'refunded' && command.minor === undefined;
    case 'forget':
      return !hasPersonalData(state);
    case 'move':
      return STATUSES.indexOf(statusOf(phase)) >= STATUSES.indexOf(command.to);
    default:
      return false;
  }
}
