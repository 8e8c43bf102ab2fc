/**
 * Wraps ports so that the gremlin bites some of their calls.
 *
 *  B1. Every bite is a fault that a network, a server or a process can cause too: a call is late, does not arrive,
 *      arrives twice, or its answer is lost. So a promise that rejects still means "no answer".
 *  B2. The gremlin does not bite the probe of Postgres, the internal routes and the switch. It bites the append of the
 *      readiness check like any other append, so that readiness shows what orders meet.
 */

import { limits } from '../../actors/limits.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { GremlinKind, GremlinTarget } from '../../actors/ports/gremlin-setting.js';
import type { Post } from '../../actors/ports/letters.js';
import type { Log } from '../../actors/ports/log.js';
import type { NoAnswer, Owners } from '../../actors/ports/owners.js';
import type { Payments } from '../../actors/ports/payments.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { Replica } from '../reads/list-sources.js';
import type { Gremlin } from './gremlin-decisions.js';

interface Bitten {
  readonly snapshots: Snapshots;
  readonly queries: Queries;
  readonly log: Log;
  readonly events: EventLog | undefined;
  readonly payments: Payments;
  readonly replica?: Replica | undefined;
}

type Time = Pick<Clock, 'after'>;

/** Wraps every port through which a node calls other systems. */
export function underGremlin(
  { snapshots, queries, log, events, payments, replica }: Bitten,
  gremlin: Gremlin,
  time: Time,
): Bitten {
  const over = <Port extends object>(port: Port, target: GremlinTarget, spare: Spare<Port> = {}): Port =>
    bitten(port, target, spare, gremlin, time);
  return {
    // A flush's rows are plain inserts: a second run is another flush, not a repeat of the first.
    snapshots: over(snapshots, 'storage', { probe: 'all', write: 'duplicate' }),
    queries: over(queries, 'storage', { operations: 'all' }),
    replica: replica && { ...replica, queries: over(replica.queries, 'storage', { operations: 'all' }) },
    log: over(log, 'bus'),
    events: events && over(events, 'bus', { last: 'all' }),
    payments: over(payments, 'payment'),
  };
}

/** A provider that answers inside the turn cannot be late. While the gremlin bites payments, calls go between turns. */
export const unlessTroubled =
  <Args extends unknown[], Answer>(gremlin: Gremlin, instant: (...args: Args) => Answer) =>
  (...args: Args): Answer | undefined =>
    gremlin.troubles('payment') ? undefined : instant(...args);

/** Bites letters and confirmations. A post may lose, repeat and reorder both, so the result is still a post. */
export function postUnderGremlin<P extends Post>(post: P, gremlin: Gremlin, time: Time): P {
  const carry = (send: (inReverse: boolean) => void) => {
    const bite = gremlin.enabled ? gremlin.bite('bus') : undefined;
    if (bite?.kind === 'drop' || bite?.kind === 'error') return;
    if (bite?.kind === 'latency' || bite?.kind === 'reorder') {
      time.after(bite.delayMs, () => send(bite.kind === 'reorder'));
      return;
    }
    send(false);
    if (bite?.kind === 'duplicate') send(false);
  };
  return {
    ...post,
    send: (letters) => carry((inReverse) => post.send(inReverse ? letters.toReversed() : letters)),
    confirm: (confirmation) => carry(() => post.confirm(confirmation)),
  };
}

/** Bites the edge's commands to orders. http/node/gremlin-routes.ts bites commands to stock, as whole requests. */
export function ownersUnderGremlin(owners: Owners, gremlin: Gremlin, time: Time): Owners {
  const command = commandUnderGremlin(gremlin, time);
  return {
    stock: (ask, waitMs, caller) => owners.stock(ask, waitMs, caller),
    order: (id) => owners.order(id),
    product: (id) => owners.product(id),
    flushed: (id) => owners.flushed(id),
    notReady: () => owners.notReady(),
    place: (ask, waitMs, caller) =>
      gremlin.enabled
        ? command(ask, waitMs, (again, restMs) => owners.place(again, restMs))
        : owners.place(ask, waitMs, caller),
    act: (ask, waitMs, caller) =>
      gremlin.enabled
        ? command(ask, waitMs, (again, restMs) => owners.act(again, restMs))
        : owners.act(ask, waitMs, caller),
  };
}

// ---------------------------------------------------------------- machinery

/** For each method the kind of bite that it never gets; 'all' spares it every bite. */
type Spare<Port> = { readonly [Method in keyof Port]?: GremlinKind | 'all' };
type Call = (...args: unknown[]) => Promise<unknown>;

function bitten<Port extends object>(
  port: Port,
  target: GremlinTarget,
  spare: Spare<Port>,
  gremlin: Gremlin,
  time: Time,
): Port {
  const over: Record<string, unknown> = {};
  for (const [method, call] of Object.entries(port) as [keyof Port & string, unknown][]) {
    const spared = spare[method];
    if (typeof call !== 'function' || spared === 'all') continue;
    over[method] = (...args: unknown[]) => {
      const ask = () => (call as Call).apply(port, args);
      return gremlin.enabled ? oneCall(`${target}: ${method}`, target, spared, ask, gremlin, time) : ask();
    };
  }
  return { ...port, ...over };
}

async function oneCall(
  what: string,
  target: GremlinTarget,
  spared: GremlinKind | undefined,
  ask: () => Promise<unknown>,
  gremlin: Gremlin,
  time: Time,
): Promise<unknown> {
  const bite = gremlin.bite(target, spared);
  switch (bite?.kind) {
    case 'latency':
    case 'reorder':
      await pause(time, bite.delayMs);
      return ask();
    case 'error':
      throw new Error(`${what}: the gremlin let it fail`);
    case 'drop':
      await ask();
      throw new Error(`${what}: the gremlin lost the answer`);
    case 'duplicate': {
      const [first] = await Promise.allSettled([ask(), ask()]);
      if (first.status === 'rejected') throw first.reason;
      return first.value;
    }
    default:
      return ask();
  }
}

/**
 * A command that may arrive late is sent as a repeat: after the client was answered, its id is not fresh any more.
 * Of two commands with one id at the same time neither is fresh.
 */
function commandUnderGremlin(gremlin: Gremlin, time: Time) {
  let late = 0;
  const noAnswer = (why: string): NoAnswer => ({ kind: 'unavailable', why: `the gremlin ${why}` });
  return async <Ask extends object, Reply>(
    ask: Ask,
    waitMs: number,
    send: (ask: Ask, waitMs: number) => Promise<Reply>,
  ): Promise<Reply | NoAnswer> => {
    const bite = gremlin.bite('order');
    const known: Ask = { ...ask, ...('fresh' in ask && { fresh: false }) };
    switch (bite?.kind) {
      case 'error':
        return noAnswer('let it fail');
      case 'drop':
        await send(ask, waitMs);
        return noAnswer('lost the answer');
      case 'duplicate': {
        const first = send(known, waitMs);
        const second = send(known, waitMs).catch(() => {}); // The request is answered with the first reply.
        const reply = await first;
        await second;
        return reply;
      }
      case 'latency':
      case 'reorder': {
        if (bite.delayMs <= waitMs) {
          await pause(time, bite.delayMs);
          return send(ask, waitMs - bite.delayMs);
        }
        if (late >= limits.gremlinLate) return noAnswer('let it fail');
        late++;
        time.after(bite.delayMs, () => {
          late--;
          send(known, waitMs).catch(() => {}); // The client was already told to retry.
        });
        await pause(time, waitMs);
        return noAnswer('holds it back');
      }
      default:
        return send(ask, waitMs);
    }
  };
}

const pause = (time: Time, ms: number): Promise<void> =>
  new Promise((resolve) => {
    time.after(ms, resolve);
  });
