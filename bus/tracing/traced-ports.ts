/**
 * Wraps ports so that what they do for traced requests is told as spans. What a port carries names the traces: a record, a
 * statement's rows, a message of EVENTS. So nothing inside knows of spans.
 *
 * Law: a wrapped port answers what the port answers, when it answers. An attempt is a span: a call that is repeated shows.
 */
import { isSampled, sampledTraceOf, withoutTrace, withTrace } from '../../actors/correlation.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Log } from '../../actors/ports/log.js';
import type { Payments } from '../../actors/ports/payments.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Statement } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { About, Span, Tracing } from '../../actors/ports/tracing.js';
import type { TopicRecord, Topics, TopicWriter } from '../kafka/topics.js';
import type { AsksMade } from '../peers/asks-made.js';
import type { Wanted } from '../peers/messages.js';
import type { Poster } from '../webhooks/post.js';
import {
  childOf,
  drawnSpanId,
  traceIdOf,
  traceInEvent,
  tracesInEvents,
  tracesInRecord,
  turnSpan,
} from './traces-in.js';

interface Traced {
  readonly snapshots: Snapshots;
  readonly log: Log;
  readonly events: EventLog | undefined;
  readonly payments: Payments;
}

type Time = Pick<Clock, 'monotonic'>;

/** Wraps the ports through which a node stores, publishes and charges. */
export function underTracing({ snapshots, log, events, payments }: Traced, tracing: Tracing, time: Time): Traced {
  const spans = new Spans(tracing, time);
  const appended = new AppendedTraces();
  return {
    snapshots: { ...snapshots, write: tracedWrite(snapshots, spans) },
    log: { ...log, append: tracedAppend(log, spans, appended) },
    events: events && { ...events, publish: tracedPublish(events, spans, appended) },
    payments: { ...payments, perform: tracedPayment(payments, spans) },
  };
}

/** The requests of an edge to the owners on other nodes. The owner's spans are below the ask's. */
export function tracedAsks(asks: Pick<AsksMade, 'ask'>, tracing: Tracing, time: Time): Pick<AsksMade, 'ask'> {
  const spans = new Spans(tracing, time);
  return {
    ask(wanted, partition, patienceMs, isFresh, caller) {
      const trace = typeof wanted.body === 'string' ? undefined : sampledTraceOf(wanted.body.correlation);
      if (trace === undefined) return asks.ask(wanted, partition, patienceMs, isFresh, caller);
      const id = drawnSpanId();
      const ask = () => asks.ask(beneath(wanted, trace, id), partition, patienceMs, isFresh, caller);
      const about = { 'holdfast.partition': partition };
      return spans.during([{ name: `ask ${wanted.kind}`, kind: 'client', parent: trace, id, about }], ask);
    },
  };
}

/** Records carry the trace of their event as a header too: that is where Kafka's instrumentations look for it. */
export function tracedTopics(topics: Topics, tracing: Tracing, time: Time): Topics {
  const spans = new Spans(tracing, time);
  const write = (writer: TopicWriter) => (records: readonly TopicRecord[]) => {
    const told = [...recordsByTrace(records)].map(([, { topic, parent, count }]) => {
      const messaging = { 'messaging.system': 'kafka', 'messaging.destination.name': topic };
      const about = { ...messaging, 'messaging.batch.message_count': count };
      return { name: `send ${topic}`, kind: 'producer', parent, about } as const;
    });
    return told.length === 0 ? writer.write(records) : spans.during(told, () => writer.write(records));
  };
  return {
    ensure: (shapes) => topics.ensure(shapes),
    filled: (names) => topics.filled(names),
    last: (topic, key) => topics.last(topic, key),
    ping: () => topics.ping(),
    close: () => topics.close(),
    open: async (name) => {
      const writer = await topics.open(name);
      return { write: write(writer), close: () => writer.close() };
    },
  };
}

/** A delivery names the trace of its event. */
export const tracedPoster = (poster: Poster, tracing: Tracing, time: Time): Poster => {
  const spans = new Spans(tracing, time);
  return {
    post(url, headers, body, signal) {
      const parent = traceInEvent(body);
      if (parent === undefined) return poster.post(url, headers, body, signal);
      const post = () => poster.post(url, { ...headers, traceparent: parent }, body, signal);
      if (!isSampled(parent)) return post();
      const about = { 'holdfast.event_id': headers['webhook-id'] ?? '' };
      return spans.during([{ name: 'deliver webhook', kind: 'client', parent, about }], post);
    },
  };
};

// ---------------------------------------------------------------- machinery

type Begun = Omit<Span, 'fromMs' | 'toMs' | 'failure'>;

class Spans {
  constructor(
    private readonly tracing: Tracing,
    private readonly time: Time,
  ) {}

  /** Tells the spans once the call has ended, with what it says of its answer. */
  async during<T>(
    begun: readonly Begun[],
    call: () => Promise<T>,
    failureIn?: (answer: T) => string | undefined,
  ): Promise<T> {
    const { tracing, time } = this;
    const fromMs = time.monotonic();
    const tell = (failure: string | undefined) => {
      const toMs = time.monotonic();
      for (const each of begun) tracing.tell({ ...each, fromMs, toMs, ...(failure !== undefined && { failure }) });
    };
    try {
      const answer = await call();
      tell(failureIn?.(answer));
      return answer;
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}

function tracedAppend(log: Log, spans: Spans, appended: AppendedTraces): Log['append'] {
  return (name, after, record, options) => {
    const append = () => log.append(name, after, record, options);
    const traces = tracesInRecord(record);
    if (traces.length === 0 && appended.knows(name)) return append();
    const [, journal = '', n = ''] = HEAD.exec(record) ?? [];
    appended.note(
      name,
      journal,
      Number(n),
      traces.map(({ trace }) => trace),
    );
    if (traces.length === 0) return append();
    const about: About = {
      'holdfast.journal': journal,
      'holdfast.turn': Number(n),
      'holdfast.record_chars': record.length,
    };
    const begun = traces.map(({ trace }) => {
      const parent = turnSpan(trace, journal, Number(n));
      return { name: 'append', kind: 'client', parent, about } as const;
    });
    return spans.during(begun, append, ({ kind }) => (kind === 'appended' ? undefined : kind));
  };
}

const HEAD = /"journal":"([^"]*)","n":(\d+)/;

function tracedPublish(events: EventLog, spans: Spans, appended: AppendedTraces): EventLog['publish'] {
  return (journal, after, n, batch, place) => {
    const publish = () => events.publish(journal, after, n, batch, place);
    const traces = appended.tracesOf(journal, n) ?? tracesInEvents(batch);
    if (traces.length === 0) return publish();
    const about = { 'messaging.system': 'nats', 'messaging.destination.name': 'EVENTS', 'holdfast.turn': n };
    const begun = traces.map((trace) => {
      const parent = turnSpan(trace, journal, n);
      return { name: 'publish EVENTS', kind: 'producer', parent, about } as const;
    });
    return spans.during(begun, publish, ({ kind }) => (kind === 'appended' ? undefined : kind));
  };
}

/**
 * The traces of the turns that this process has appended itself. A search in every message of EVENTS would cost an order as much
 * as all else of traces.
 */
class AppendedTraces {
  private readonly logs = new Set<string>();
  private readonly journals = new Set<string>();
  private readonly turns = new Map<string, readonly string[]>();

  knows(log: string): boolean {
    return this.logs.has(log);
  }

  note(log: string, journal: string, n: number, traces: readonly string[]): void {
    if (this.logs.size >= MOST_JOURNALS) {
      this.logs.clear();
      this.journals.clear();
    }
    this.logs.add(log);
    this.journals.add(journal);
    if (traces.length === 0) return;
    this.turns.set(`${journal} ${n}`, traces);
    for (const [oldest] of this.turns) {
      if (this.turns.size <= MOST_TURNS) break;
      this.turns.delete(oldest);
    }
  }

  /** Undefined if another process has appended the turn. */
  tracesOf(journal: string, n: number): readonly string[] | undefined {
    return this.journals.has(journal) ? (this.turns.get(`${journal} ${n}`) ?? []) : undefined;
  }
}

/** An incarnation has one; claims and settings have logs of their own. */
const MOST_JOURNALS = 100;
/** Turns whose message is not published yet. Beyond it the oldest are published untold. */
const MOST_TURNS = 5_000;

function tracedWrite(snapshots: Snapshots, spans: Spans): Snapshots['write'] {
  return (journal, statement) => {
    const write = () => snapshots.write(journal, statement);
    const parents = parentsIn(journal, statement);
    if (parents.length === 0) return write();
    const name = `flush ${statement.kind}`;
    const about = { 'db.system.name': 'postgresql', 'holdfast.journal': journal };
    const begun = parents.map((parent) => ({ name, kind: 'client', parent, about }) as const);
    return spans.during(begun, write, (answer) => (answer === 'written' ? undefined : answer));
  };
}

/** The turns of the statement's rows, as far as they are traced. The row of an operation does not name its turn. */
function parentsIn(journal: string, statement: Statement): readonly string[] {
  const parents = new Map<string, string>();
  if (statement.kind === 'orders') {
    for (const { history } of statement.rows) {
      for (const { correlation, n } of history) {
        const trace = sampledTraceOf(correlation);
        if (trace !== undefined) parents.set(`${traceIdOf(trace)} ${n}`, turnSpan(trace, journal, n));
      }
    }
  } else if (statement.kind === 'products') {
    for (const { operations } of statement.rows) {
      for (const { correlation } of operations) {
        const trace = sampledTraceOf(correlation);
        if (trace !== undefined) parents.set(traceIdOf(trace), trace);
      }
    }
  }
  return [...parents.values()];
}

function tracedPayment(payments: Payments, spans: Spans): Payments['perform'] {
  return (request) => {
    const { operation, order, correlation = '' } = request;
    const trace = sampledTraceOf(correlation);
    if (trace === undefined) return payments.perform(request);
    const id = drawnSpanId();
    const below = { ...request, correlation: withTrace(withoutTrace(correlation), childOf(trace, id)) };
    const about = { 'holdfast.order_id': order };
    return spans.during([{ name: `pay ${operation}`, kind: 'client', parent: trace, id, about }], () =>
      payments.perform(below),
    );
  };
}

/** A transaction is one span for each trace and topic, however many of its records are the trace's. */
function recordsByTrace(records: readonly TopicRecord[]) {
  const found = new Map<string, { readonly topic: string; readonly parent: string; count: number }>();
  for (const { topic, headers } of records) {
    const [, parent] = headers.find(([name]) => name === 'traceparent') ?? [];
    if (parent === undefined || !isSampled(parent)) continue;
    const key = `${topic} ${traceIdOf(parent)}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { topic, parent, count: 1 });
    else known.count++;
  }
  return found;
}

/** The same request under another span. */
function beneath(wanted: Wanted, trace: string, id: string): Wanted {
  const { body } = wanted;
  if (typeof body === 'string') return wanted;
  const correlation = withTrace(withoutTrace(body.correlation), childOf(trace, id));
  return { ...wanted, body: { ...body, correlation } } as Wanted;
}
