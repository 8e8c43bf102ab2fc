/**
 * A correlation names the request that led to something. It goes with every command, letter and event. Of a request that
 * is in a trace, the W3C traceparent stands behind the name, after a space:
 *
 *   41A7QGTSC2-g 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *
 * Law: names have no space, and a traceparent has 55 characters. So whatever carries a correlation carries the trace too,
 * and one of a request without a trace has the bytes that it always had. The last digit is 1 if the request is sampled. Without
 * it nothing is told of the request, and the trace only goes on to whoever comes after.
 */

const TRACEPARENT_CHARS = 55;
const SPACE = 0x20;
const ONE = 0x31;

export const withTrace = (name: string, traceparent: string): string => `${name} ${traceparent}`;

/** The traceparent; undefined if the request is in no trace. */
export function traceOf(correlation: string): string | undefined {
  const at = spaceIn(correlation);
  return at > 0 ? correlation.slice(at + 1) : undefined;
}

/** The traceparent, if the request is sampled. */
export const sampledTraceOf = (correlation: string): string | undefined =>
  isSampled(correlation) ? traceOf(correlation) : undefined;

/** @param traceparent of the form that we write */
export const isSampled = (traceparent: string): boolean => traceparent.charCodeAt(traceparent.length - 1) === ONE;

/** The name alone, as clients know it. */
export function withoutTrace(correlation: string): string {
  const at = spaceIn(correlation);
  return at > 0 ? correlation.slice(0, at) : correlation;
}

function spaceIn(correlation: string): number {
  const at = correlation.length - TRACEPARENT_CHARS - 1;
  return at > 0 && correlation.charCodeAt(at) === SPACE ? at : 0;
}

/** What a client's `traceparent` says. */
export interface CallersTrace {
  /** 32 and 16 hex digits. */
  readonly traceId: string;
  readonly parentId: string;
  readonly isSampled: boolean;
}

/** Reads a header by W3C Trace Context; undefined if it is none, or malformed. Of two, Node shows a list, which is malformed. */
export function callersTrace(header: string | string[] | undefined): CallersTrace | undefined {
  if (typeof header !== 'string') return undefined;
  const [, version, traceId, parentId, flags] = TRACEPARENT.exec(header) ?? [];
  if (traceId === undefined || parentId === undefined || flags === undefined) return undefined;
  // A later version may say more behind it.
  if (version === '00' && header.length !== TRACEPARENT_CHARS) return undefined;
  return { traceId, parentId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

const TRACEPARENT = /^((?!ff)[\da-f]{2})-((?!0{32})[\da-f]{32})-((?!0{16})[\da-f]{16})-([\da-f]{2})(?:-|$)/;
