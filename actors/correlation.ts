/**
 * A correlation names the request that led to something. It goes with every command, letter and event. Of a request that
 * is traced, the W3C traceparent stands behind the name, after a space:
 *
 *   41A7QGTSC2-g 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *
 * Law: names have no space, and a traceparent has 55 characters. So whatever carries a correlation carries the trace too,
 * and one of a request that is not traced has the bytes that it always had.
 */

const TRACEPARENT_CHARS = 55;
const SPACE = 0x20;

export const withTrace = (name: string, traceparent: string): string => `${name} ${traceparent}`;

/** The traceparent; undefined if the request is not traced. */
export function traceOf(correlation: string): string | undefined {
  const at = spaceIn(correlation);
  return at > 0 ? correlation.slice(at + 1) : undefined;
}

/** The name alone, as clients know it. */
export function withoutTrace(correlation: string): string {
  const at = spaceIn(correlation);
  return at > 0 ? correlation.slice(0, at) : correlation;
}

function spaceIn(correlation: string): number {
  const at = correlation.length - TRACEPARENT_CHARS - 1;
  return at > 0 && correlation.charCodeAt(at) === SPACE ? at : 0;
}
