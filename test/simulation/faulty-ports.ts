/** The ports of one process: each call goes through the faults. An error of a service itself is a broken promise. */

import type { NodeId } from '../../actors/ids.js';
import type { SealRecord } from '../../actors/node/record.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Log } from '../../actors/ports/log.js';
import type { Members } from '../../actors/ports/members.js';
import type { PaymentRequest, Payments } from '../../actors/ports/payments.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Statement } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { PaymentOutcome } from '../../actors/protocol.js';
import type { Being } from './clock.js';
import type { Faults, Service } from './faults.js';
import type { Stores } from './stores.js';
import type { Verdict } from './verdict.js';

export interface Ports {
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly queries: Pick<Queries, 'order' | 'history'>;
  readonly cache: Cache;
  readonly events: EventLog;
  readonly payments: Payments;
  readonly heartbeats: Members;
}

export function portsOf(
  being: Being,
  node: NodeId,
  stores: Stores,
  faults: Faults,
  verdict: Verdict,
  onPaid: (request: PaymentRequest, outcome: PaymentOutcome) => void,
): Ports {
  const { log, snapshots, queries, cache, events, payments } = stores;
  /** Statements without an answer. One that lands late may meet the rows of its repeat, and that error is ignored. */
  const givenUp = new WeakSet<Statement>();
  const call = <T>(service: Service, name: string, effect: () => Promise<T>): Promise<T> =>
    faults.call(being, service, name, () =>
      effect().catch((error: unknown) => {
        // A process that was superseded while it was paused in its take-over gets this error.
        if (name === 'openJournal') faults.counters.add('openJournal: closed already');
        else verdict.fail('nothing breaks', `${name}: ${error}`);
        throw error;
      }),
    );
  return {
    log: {
      append(name, after, record, options) {
        const kind = name === 'claims' ? 'claim' : options?.urgent ? 'seal' : 'append';
        if (kind === 'append' && !faults.isCalm && faults.chance.hits(faults.weather.full)) {
          faults.counters.add('append: full');
          return call('log', 'full', async () => ({ kind: 'full' as const }));
        }
        if (kind === 'seal') stores.truth.ownership.opened((JSON.parse(record) as SealRecord).by, node);
        return call('log', kind, () => log.append(name, after, record, options));
      },
      read: (name, after) => call('log', 'read', () => log.read(name, after)),
      end: (name) => call('log', 'end', () => log.end(name)),
      last: (name) => call('log', 'last record', () => log.last(name)),
      trim(name, upTo) {
        const whose = name === 'claims' ? 'trim claims' : upTo === Number.MAX_SAFE_INTEGER ? 'trim sealed' : 'trim own';
        return call('log', whose, () => log.trim(name, upTo));
      },
    },
    snapshots: {
      openJournal: (journal, node) => call('storage', 'openJournal', () => snapshots.openJournal(journal, node)),
      closeJournals: (journals) => call('storage', 'closeJournals', () => snapshots.closeJournals(journals)),
      load: (...args) => call('storage', 'load', () => snapshots.load(...args)),
      write(journal, statement) {
        const answered = call('storage', `flush ${statement.kind}`, async () => {
          if (givenUp.has(statement)) return snapshots.write(journal, statement).catch(() => 'written' as const);
          const answer = await snapshots.write(journal, statement);
          if (answer === 'closed') faults.counters.add('a flush met its row closed');
          return answer;
        });
        answered.catch(() => givenUp.add(statement));
        return answered;
      },
      lookUp: (orders, writes) => call('storage', 'lookUp', () => snapshots.lookUp(orders, writes)),
      archived: (order) => call('storage', 'archived', () => snapshots.archived(order)),
      seeArchives: (journal, seen) => call('storage', 'seeArchives', () => snapshots.seeArchives(journal, seen)),
      orderIdsAfter: (after, most) => call('storage', 'orderIdsAfter', () => snapshots.orderIdsAfter(after, most)),
      journals: () => call('storage', 'journals', () => snapshots.journals()),
      partitionMarks: () => call('storage', 'partitionMarks', () => snapshots.partitionMarks()),
      published: (journal, n) => call('storage', 'published', () => snapshots.published(journal, n)),
      forgetJournal: (journal) => call('storage', 'forgetJournal', () => snapshots.forgetJournal(journal)),
      probe: () => call('storage', 'probe', () => snapshots.probe()),
    },
    queries: {
      order: (id) => call('storage', 'query', () => queries.order(id)),
      history: (id) => call('storage', 'query', () => queries.history(id)),
    },
    cache,
    events: {
      keptSinceMs: () => call('events', 'last', () => events.keptSinceMs()),
      last: (journal) => call('events', 'last', () => events.last(journal)),
      publish: (...message) => {
        const { lossesOfEvents } = stores;
        return call('events', 'publish', async () =>
          lossesOfEvents === stores.lossesOfEvents ? events.publish(...message) : { kind: 'conflict' },
        );
      },
    },
    heartbeats: {
      put: (heartbeat) =>
        call('bus', 'heartbeat', async () => {
          await stores.members.put(heartbeat);
          stores.heard(heartbeat.node);
        }),
      all: () => call('bus', 'heartbeats', () => stores.members.all()),
    },
    payments: {
      perform: (request) =>
        call('payments', request.operation, async () => {
          const outcome = await payments.perform(request);
          faults.counters.add(`payment: ${request.operation} ${outcome}`);
          onPaid(request, outcome);
          return outcome;
        }),
    },
  };
}
