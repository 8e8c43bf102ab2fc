/** How the way of a request is told to a tracing backend. Types only; bus/tracing implements it. */

/**
 * Traces.
 *
 *  T1. No call waits, fails, or changes what is decided: whoever traces loses spans, and never an order.
 *  T2. What is told is told afterwards, with its times on the monotonic clock of this process.
 */
export interface Tracing {
  /**
   * A client's request begins. A valid `traceparent` among its headers is continued; any other is ignored.
   * @returns undefined if the request is not sampled, and its caller has sent no trace
   */
  request(headers: RequestHeaders, fromMs: number): RequestTrace | undefined;
  /** Something was done for a traced request. */
  tell(span: Span): void;
}

export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What a span says besides its name and times. */
export type About = Readonly<Record<string, string | number>>;

interface RequestTrace {
  /** What is done for the request goes on under it. */
  readonly traceparent: string;
  /** Undefined if the request is not sampled: its trace goes on, and nothing is told. */
  readonly span: RequestSpan | undefined;
}

export interface RequestSpan {
  note(name: string, value: string): void;
  end(outcome: { readonly method: string; readonly route: string; readonly status: number }, toMs: number): void;
}

export interface Span {
  readonly name: string;
  /** `client`: a call of another system. `producer`: a message to one. */
  readonly kind: 'internal' | 'client' | 'producer';
  /** The traceparent of the span above it. */
  readonly parent: string;
  /** 16 hex digits, if somebody else has to know them; drawn if undefined. */
  readonly id?: string;
  /** The traceparents of other spans that led to it. */
  readonly links?: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly about?: About;
  /** Why it failed. */
  readonly failure?: string;
}
