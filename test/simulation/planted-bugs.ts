/**
 * Typical bugs, each planted from outside: by a wrapper around a port, or by an override of one of the product's
 * methods. The product has no switch for any of them.
 */
import type { JournalId, OrderId } from '../../actors/ids.js';
import { Channels } from '../../actors/node/channels.js';
import { Leaving } from '../../actors/node/leaving.js';
import { LookUps } from '../../actors/node/lookups.js';
import { Node } from '../../actors/node/node.js';
import { encodeSeal, journalLog } from '../../actors/node/record.js';
import { Writes } from '../../actors/node/remembered-writes.js';
import { StoredOrders } from '../../actors/node/stored-orders.js';
import { Turn } from '../../actors/node/turn.js';
import { isSettled, type OrderState } from '../../actors/order/order.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { NumberedLetter } from '../../actors/ports/letters.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { PlaceRequest } from '../../actors/ports/owners.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Statement } from '../../actors/ports/snapshot-rows.js';
import { JournalWriter } from '../../bus/journal/journal-writer.js';
import { Driver } from '../../bus/node/driver.js';
import { ReadCache, type Told } from '../../bus/reads/read-cache.js';
import { pause } from '../../bus/retry.js';
import { onLog, onSnapshots, over, type PlantedBug } from './planting.js';

// ---------------------------------------------------------------- how they are planted

/** The private members of a node that the planted methods use. */
interface NodeParts {
  underWay:
    | {
        readonly turn: { letters: NumberedLetter[]; seen: Map<number, Map<number, number>> };
        answers: readonly { reply(): void }[];
      }
    | undefined;
  readonly effects: object[];
}

interface LeavingParts {
  readonly candidates: Set<{ readonly state: OrderState }>;
  readonly world: { readonly orders: Map<OrderId, unknown> };
}

/** Runs after a turn is decided, and before its append is sent. */
const afterDeciding = (then: (node: NodeParts, underWay: NonNullable<NodeParts['underWay']>) => void) =>
  over<[number], void>(Node, 'takeTurn', (original) => {
    return function (at) {
      original.call(this, at);
      const node = this as NodeParts;
      if (node.underWay !== undefined) then(node, node.underWay);
    };
  });

interface WriterParts {
  readonly journal: JournalId;
  readonly log: Log;
  readonly clock: Clock;
  readonly stopped: boolean;
  after: Position;
}

// ---------------------------------------------------------------- the bugs

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'a reply before its append',
    breaks: 'N2',
    patch: afterDeciding((_, underWay) => {
      for (const answer of underWay.answers) answer.reply();
      underWay.answers = [];
    }),
  },
  {
    name: 'a letter before its append',
    breaks: 'N2',
    patch: afterDeciding((node, { turn }) => node.effects.push({ kind: 'send', letters: turn.letters })),
  },
  {
    name: 'a confirmation before its append',
    breaks: 'C3',
    patch: afterDeciding((node, { turn }) => {
      for (const [to, moved] of turn.seen) {
        for (const [from, upTo] of moved) node.effects.push({ kind: 'confirm', confirmation: { from, to, upTo } });
      }
    }),
  },
  {
    name: 'the partition rows ahead of their actors',
    breaks: 'hazard 2',
    ports: onSnapshots(({ write }) => {
      let later: Statement[] = [];
      return {
        async write(journal, statement) {
          if (statement.kind !== 'last') later.push(statement);
          if (statement.kind !== 'last') return 'written';
          const answer = await write(journal, statement);
          const actors = later;
          later = [];
          for (const each of actors) await write(journal, each);
          return answer;
        },
      };
    }),
  },
  {
    name: 'an order and its history in two statements',
    breaks: 'hazard 2',
    ports: onSnapshots(({ write }) => ({
      async write(journal, statement) {
        if (statement.kind !== 'orders') return write(journal, statement);
        const bare = statement.rows.map((row) => ({ ...row, history: [] }));
        if ((await write(journal, { ...statement, rows: bare })) === 'closed') return 'closed';
        return write(journal, { ...statement, certain: false });
      },
    })),
  },
  {
    name: 'a retry with a new record at the end of the journal',
    breaks: 'N3, J1',
    patch: over<[string, string], Promise<unknown>>(JournalWriter, 'append', () => {
      return async function (id, record) {
        const writer = this as WriterParts;
        const name = journalLog(writer.journal);
        for (let attempt = 0; !writer.stopped; attempt++) {
          try {
            for (const { position, record: found } of attempt > 0 ? await writer.log.read(name, writer.after) : []) {
              if (found.includes('"kind":"seal"')) return { kind: 'sealed' };
              writer.after = position;
            }
            const text = attempt === 0 ? record : record.replace(id, `${id}-${attempt}`);
            const answer = await writer.log.append(name, writer.after, text);
            if (answer.kind === 'appended') {
              writer.after = answer.position;
              return answer;
            }
          } catch {
            // No answer: the next attempt sends a new record.
          }
          await pause(writer.clock, attempt);
        }
        return undefined;
      };
    }),
  },
  {
    name: 'the watermarks of letters are not stored',
    breaks: 'C2',
    ports: onSnapshots(({ write }) => ({
      write(journal, statement) {
        if (statement.kind !== 'last') return write(journal, statement);
        const partitions = statement.partitions.map((row) => ({ ...row, seen: {} }));
        return write(journal, { ...statement, partitions });
      },
    })),
  },
  {
    name: 'a letter without an answer is not sent again',
    breaks: 'C3',
    patch: over<[], NumberedLetter[]>(Channels, 'toRepeat', () => () => []),
  },
  {
    name: 'the journal trimmed past what is flushed',
    breaks: 'F1',
    ports: onLog(({ append, trim }) => ({
      async append(log, after, record, options) {
        const answer = await append(log, after, record, options);
        if (answer.kind === 'appended' && options?.urgent !== true) trim(log, answer.position).catch(() => {});
        return answer;
      },
    })),
  },
  {
    name: 'a stale look-up is used after its order entered and left memory',
    breaks: 'hazard 6',
    patch: over<[string], boolean>(LookUps, 'isPinned', () => () => false),
  },
  {
    name: 'no look-up: every order that is not in memory counts as new',
    breaks: 'N4',
    patch: over<[number, PlaceRequest], void>(Node, 'place', (original) => {
      return function (request, ask) {
        original.call(this, request, { ...ask, fresh: true });
      };
    }),
  },
  {
    name: 'an order that left memory is not in the filter of stored orders',
    breaks: 'B2',
    patch: over<[OrderId], void>(StoredOrders, 'left', () => () => {}),
  },
  {
    name: 'the filter is trusted before the stored ids are read',
    foundBy: 13,
    breaks: 'B1',
    patch: over<[number], void>(StoredOrders, 'join', (original) => {
      return function (partition) {
        original.call(this, partition);
        const stored = this as StoredOrders;
        stored.complete(stored.begin());
      };
    }),
  },
  {
    name: 'the ids of stored orders are read and not kept',
    breaks: 'B1',
    patch: over<[readonly OrderId[]], void>(StoredOrders, 'addStored', () => () => {}),
  },
  {
    name: 'an order leaves memory before it is flushed',
    breaks: 'W2',
    patch: over<[], void>(Leaving, 'letLeave', () => {
      return function () {
        const { candidates, world } = this as LeavingParts;
        for (const { state } of candidates) if (isSettled(state)) world.orders.delete(state.id);
        candidates.clear();
      };
    }),
  },
  {
    name: 'a cache entry is used without a check',
    breaks: 'hazard 13',
    patch: over<[string], Promise<Told<OrderState> | undefined>>(ReadCache, 'look', () => {
      return async function (id) {
        const { cache, journal } = this as { readonly cache: Cache; readonly journal: JournalId };
        const text = (await cache.get(`holdfast:${journal}:order:${id}`)) ?? '';
        const body = text.slice(text.indexOf('\n') + 1);
        return body.startsWith('{"id"') ? { version: 0, value: JSON.parse(body) as OrderState } : undefined;
      };
    }),
  },
  {
    name: 'a write is forgotten after its effect',
    breaks: 'hazard 6',
    patch: over<[], string>(Writes, 'find', () => () => 'new'),
  },
  {
    name: 'a write that was refused is not journaled',
    breaks: 'O4',
    patch: over<[], boolean>(Turn, 'refuse', () => () => true),
  },
  {
    name: 'the rows of refused writes are not written',
    breaks: 'hazard 6',
    ports: onSnapshots(({ write }) => ({
      write: async (journal, statement) => (statement.kind === 'refusals' ? 'written' : write(journal, statement)),
    })),
  },
  {
    name: 'a journal is taken over without a seal',
    breaks: 'K1, S2',
    ports: onLog(({ append, read }) => {
      const pretended = new Map<string, string>();
      return {
        async append(log, after, record, options) {
          if (!record.includes('"kind":"seal"')) return append(log, after, record, options);
          pretended.set(log, record);
          return { kind: 'appended', position: Number.MAX_SAFE_INTEGER };
        },
        async read(log, after) {
          const found = await read(log, after);
          const seal = pretended.get(log);
          if (found.length > 0 || seal === undefined || after === Number.MAX_SAFE_INTEGER) return found;
          return [{ position: Number.MAX_SAFE_INTEGER, record: seal }];
        },
      };
    }),
  },
  {
    name: 'a zombie appends after the seal',
    breaks: 'K1',
    ports: onLog(({ append, read }) => ({
      async append(log, after, record, options) {
        const answer = await append(log, after, record, options);
        if (answer.kind !== 'conflict' || options?.urgent === true) return answer;
        const last = (await read(log, after)).at(-1);
        return last?.record.includes('"kind":"seal"') ? append(log, last.position, record) : answer;
      },
    })),
  },
  {
    name: 'the rows of sealed journals are not closed',
    breaks: 'hazard 4, S3',
    ports: onSnapshots(() => ({ closeJournals: async () => {} })),
  },
  {
    name: 'a release while turns go on',
    foundBy: 15,
    breaks: 'hazard 7',
    patch: over<[number], Promise<void>>(Driver, 'quiesce', () => async () => {}),
  },
  {
    name: 'an event is published again after its answer was lost',
    breaks: 'E2',
    ports: (ports) => ({
      ...ports,
      events: {
        ...ports.events,
        async publish(journal, after, n, batch, place) {
          try {
            return await ports.events.publish(journal, after, n, batch, place);
          } catch {
            const end = (await ports.events.last(journal))?.position ?? 0;
            return ports.events.publish(journal, end, n, batch, place);
          }
        },
      },
    }),
  },
  {
    name: 'the tails of predecessors are not published',
    breaks: 'E5',
    ports: (ports) => ({
      ...ports,
      events: {
        ...ports.events,
        last: async (journal) => (await ports.events.last(journal)) ?? { position: 0, n: 0, sealed: true },
      },
    }),
  },
  {
    name: 'an unpaid order is not voided',
    breaks: 'O3',
    ports: (ports) => ({
      ...ports,
      payments: {
        perform: async (request) => (request.operation === 'void' ? 'voided' : ports.payments.perform(request)),
      },
    }),
  },
];

/** The planted bugs recognise a seal by this text. */
if (!encodeSeal({ id: '', journal: '' as JournalId, by: '' as JournalId, at: 0 }).includes('"kind":"seal"'))
  throw new Error('a seal does not look as the planted bugs expect');
