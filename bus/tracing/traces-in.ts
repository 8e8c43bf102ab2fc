/**
 * The traces that a text of ours names, and the ids of spans that several nodes must agree on.
 *
 *  T1. The id of a turn's span is a function of the trace, the journal and the turn. So whoever flushes or publishes the turn,
 *      also after a crash, names the same parent without having heard of it.
 *  T2. A trace is in a turn once, however many letters of it the turn has handled.
 */
import { createHash, randomBytes } from 'node:crypto';

const TRACEPARENT_CHARS = 55;
const SAMPLED = /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/;
const WRITTEN = /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/;

/** A trace in a turn. */
interface TraceInTurn {
  /** The traceparent of the first cascade; that of the turn's other cascades in the same trace, if they differ. */
  readonly trace: string;
  readonly others: readonly string[];
  /** The first order that it names. */
  readonly order: string | undefined;
}

/** @param record a turn's record. Most name no trace that is sampled: that is found in one pass. */
export function tracesInRecord(record: string): readonly TraceInTurn[] {
  const found = new Map<string, { trace: string; others: string[]; order: string | undefined }>();
  for (let at = record.indexOf(' 00-'); at > 0; at = record.indexOf(' 00-', at + 1)) {
    const trace = record.slice(at + 1, at + 1 + TRACEPARENT_CHARS);
    // A cascade begins with its correlation. Texts of clients have names before them, and no bracket.
    if (!SAMPLED.test(trace) || !beginsCascade(record, at)) continue;
    const known = found.get(traceIdOf(trace));
    const [, order] = ORDER_AFTER.exec(record.slice(at + 1 + TRACEPARENT_CHARS, at + LONGEST_HEAD)) ?? [];
    if (known === undefined) found.set(traceIdOf(trace), { trace, others: [], order });
    else {
      known.order ??= order;
      if (trace !== known.trace && !known.others.includes(trace) && known.others.length < MOST_OTHERS) {
        known.others.push(trace);
      }
    }
  }
  return [...found.values()];
}

/** @param batch a message of EVENTS. Of each sampled trace the first traceparent */
export function tracesInEvents(batch: string): readonly string[] {
  const found = new Map<string, string>();
  for (let at = batch.indexOf(MEMBER); at > 0; at = batch.indexOf(MEMBER, at + 1)) {
    const trace = batch.slice(at + MEMBER.length, at + MEMBER.length + TRACEPARENT_CHARS);
    if (SAMPLED.test(trace) && !found.has(traceIdOf(trace))) found.set(traceIdOf(trace), trace);
  }
  return [...found.values()];
}

/** @param event one of EVENTS. @returns its traceparent, also of a request that is not sampled */
export function traceInEvent(event: string): string | undefined {
  const at = event.indexOf(MEMBER) + MEMBER.length;
  const trace = at < MEMBER.length ? '' : event.slice(at, at + TRACEPARENT_CHARS);
  return WRITTEN.test(trace) ? trace : undefined;
}

/** The id of a span, of what tells it apart from all others of its trace. */
export function spanId(...of: readonly (string | number)[]): string {
  return createHash('sha256').update(of.join(' ')).digest('hex').slice(0, SPAN_ID_CHARS);
}

export const drawnSpanId = (): string => randomBytes(SPAN_ID_CHARS / 2).toString('hex');

export const traceIdOf = (trace: string): string => trace.slice(3, TRACE_CHARS - 1);

/** traces-in.T1. @returns the traceparent of a turn's span */
export const turnSpan = (trace: string, journal: string, n: number): string =>
  childOf(trace, spanId(traceIdOf(trace), 'turn', journal, n));

/** The id of the span that a traceparent names. */
export const idIn = (trace: string): string => trace.slice(TRACE_CHARS, TRACE_CHARS + SPAN_ID_CHARS);

/** The traceparent of a span in the same trace. */
export const childOf = (trace: string, id: string): string => `${trace.slice(0, TRACE_CHARS)}${id}-01`;

// ---------------------------------------------------------------- machinery

/** In JSON a quotation mark of a client's text has a backslash before it: no text holds this. */
const MEMBER = '"traceparent":"';
const ORDER_AFTER = /^",\["o","([^"\\]+)"/;
const LONGEST_HEAD = 400;
const SPAN_ID_CHARS = 16;
/** `00-`, the trace's id, and a hyphen. */
const TRACE_CHARS = 36;
const LONGEST_NAME = 600;
/** As many links as a span may have by default. */
const MOST_OTHERS = 128;

function beginsCascade(record: string, space: number): boolean {
  const from = Math.max(0, space - LONGEST_NAME);
  const start = record.lastIndexOf('["', space);
  return (
    start >= from && !UNNAMED.test(record.slice(start + 2, space)) && record[space + 1 + TRACEPARENT_CHARS] === '"'
  );
}

/** What no name of a request has inside: a space, or a quotation mark without a backslash. */
const UNNAMED = /\s|(?<!\\)"/;
