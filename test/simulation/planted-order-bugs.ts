/** Typical bugs in the life of orders and in backorders, planted as those of planted-bugs.ts. */

import { Handlers } from '../../actors/node/handlers.js';
import { Turn } from '../../actors/node/turn.js';
import { TurnClock } from '../../actors/node/turn-clock.js';
import { type OrderEntry, type ProductEntry, World } from '../../actors/node/world.js';
import { hasOutcome, type OrderState } from '../../actors/order/order.js';
import type { PaymentRequest, Payments } from '../../actors/ports/payments.js';
import type { StoredOrder } from '../../actors/ports/snapshot-rows.js';
import type { Waiting } from '../../actors/product/inventory.js';
import type { Letter, OrderCommand, ProductCommand } from '../../actors/protocol.js';
import type { Ports } from './faulty-ports.js';
import { onSnapshots, over, type PlantedBug } from './planting.js';

// ---------------------------------------------------------------- how they are planted

type Decided =
  | { readonly events: readonly object[]; readonly letters: readonly Letter[] }
  | { readonly refused: string };
/** Changes the letters that orders send. */
const ordersLetters = (change: (letters: readonly Letter[]) => readonly Letter[]) =>
  over<[OrderEntry, OrderCommand], Decided>(Turn, 'orderDecides', (original) => {
    return function (...args) {
      const decided = original.apply(this, args);
      return 'refused' in decided ? decided : { ...decided, letters: change(decided.letters) };
    };
  });

/** Changes the commands that products get; undefined drops a command. */
const productsCommands = (
  change: (command: ProductCommand, waiting: readonly Waiting[]) => ProductCommand | undefined,
) =>
  over<[ProductEntry, ProductCommand], Decided>(Turn, 'productDecides', (original) => {
    return function (entry, command) {
      const changed = change(command, entry.state.waiting);
      return changed === undefined ? { events: [], letters: [] } : original.call(this, entry, changed);
    };
  });

const onFill = (change: (letters: readonly Letter[]) => readonly Letter[]) =>
  over<[ProductEntry, ProductCommand], Decided>(Turn, 'productDecides', (original) => {
    return function (entry, command) {
      const decided = original.call(this, entry, command);
      if ('refused' in decided || command.type !== 'fill') return decided;
      return { ...decided, letters: change(decided.letters) };
    };
  });

const onOrderRows = (change: (state: OrderState) => OrderState) =>
  onSnapshots(({ write }) => ({
    write(journal, statement) {
      if (statement.kind !== 'orders') return write(journal, statement);
      return write(journal, {
        ...statement,
        rows: statement.rows.map((row) => ({ ...row, state: change(row.state) })),
      });
    },
  }));

const onPayments =
  (perform: (payments: Payments, request: PaymentRequest) => ReturnType<Payments['perform']>) =>
  (ports: Ports): Ports => ({ ...ports, payments: { perform: (request) => perform(ports.payments, request) } });

// ---------------------------------------------------------------- the bugs

export const plantedLifeBugs: readonly PlantedBug[] = [
  {
    name: "turns that take the machine's clock as it is",
    foundBy: 17,
    breaks: 'times never go back',
    patch: over<[number, number, number], number>(TurnClock, 'next', () => (wallMs) => wallMs),
  },
  {
    name: 'the first request is answered with the order as the turn left it',
    breaks: 'promise 4',
    patch: over<[OrderEntry, number, boolean], void>(Handlers, 'replyOutcome', (original) => {
      return function (entry, ...args) {
        return original.call(this, Object.assign(Object.create(entry), { decided: entry.state }), ...args);
      };
    }),
  },
  {
    name: 'a repeat is answered with the order as it is now',
    breaks: 'promise 4',
    patch: over<[StoredOrder], OrderEntry>(World, 'loadOrder', (original) => {
      return function (stored) {
        const entry = original.call(this, stored);
        if (hasOutcome(stored.state)) entry.decided = stored.state;
        return entry;
      };
    }),
  },
  {
    name: 'an act that was refused is not remembered',
    breaks: 'O4',
    patch: over<[OrderEntry, OrderCommand], Decided>(Turn, 'orderDecides', (original) => {
      return function (entry, command) {
        if (command.type === 'closeAct') return { events: [], letters: [] };
        return original.call(this, entry, command);
      };
    }),
  },
  {
    name: 'a refund repeated under another ref',
    breaks: 'M1',
    ports: onPayments(async (payments, request) => {
      if (request.operation === 'refund') await payments.perform({ ...request, ref: `${request.ref}-again` });
      return payments.perform(request);
    }),
  },
  {
    name: 'a void that met a capture counts as done',
    foundBy: 13,
    breaks: 'M3',
    ports: onPayments(async (payments, request) => {
      const outcome = await payments.perform(request);
      return request.operation === 'void' && outcome === 'captured' ? 'voided' : outcome;
    }),
  },
  {
    name: 'a declined capture counts as done',
    foundBy: 17,
    breaks: 'M4',
    ports: onPayments(async (payments, request) => {
      const outcome = await payments.perform(request);
      return request.operation === 'capture' && outcome === 'declined' ? 'captured' : outcome;
    }),
  },
  {
    name: 'a cancelled order does not return its committed stock',
    breaks: 'O3',
    patch: ordersLetters((letters) => letters.filter(({ command }) => command.type !== 'uncommit')),
  },
  {
    name: 'all returns of one order have the same number',
    breaks: 'promise 4',
    patch: productsCommands((command) => (command.type === 'return' ? { ...command, no: 1 } : command)),
  },
  {
    name: 'a cancelled order still waits at its product',
    breaks: 'I3',
    patch: productsCommands((command, waiting) => {
      const ends = command.type === 'release' || command.type === 'uncommit';
      return ends && waiting.some(({ order }) => order === command.order) ? undefined : command;
    }),
  },
  {
    name: 'new stock goes to the order that came last',
    breaks: 'I5',
    patch: over<[ProductEntry, ProductCommand], Decided>(Turn, 'productDecides', (original) => {
      return function (entry, command) {
        if (command.type === 'fill') entry.state = { ...entry.state, waiting: [...entry.state.waiting].reverse() };
        return original.call(this, entry, command);
      };
    }),
  },
  {
    name: 'an order gets the letter about its new stock twice',
    breaks: 'C2',
    patch: onFill((letters) => [...letters, ...letters]),
  },
  {
    name: 'an order gets no letter about its new stock',
    breaks: 'C3',
    patch: onFill(() => []),
  },
  {
    name: 'the delay of a late hold is lost in a crash',
    breaks: 'R1',
    ports: onOrderRows((state) => ({ ...state, lateMs: 0 })),
  },
  {
    name: 'the refs of acts are kept only in memory',
    breaks: 'O4',
    ports: onOrderRows((state) => ({ ...state, life: { ...state.life, acts: [] } })),
  },
];
