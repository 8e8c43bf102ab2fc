/**
 * The frame of every request: it assigns ids, runs the work, writes one reply, records one observation and logs one line at most.
 *
 * Law: every request gets exactly one reply, written in one place (`reply`), whatever its handler does. Its line has its ids, and the
 * cause where it could not be served. It names the route and no path: a path may name a user.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { withTrace } from '../../actors/correlation.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Tracing } from '../../actors/ports/tracing.js';
import { noAnswer, Unavailable } from '../../actors/unavailable.js';
import type { EdgeMetrics } from '../node/edge-metrics.js';
import type { BufferedRequest } from '../wire/buffered-request.js';
import { compressed, pays } from '../wire/compression.js';
import type { Cors } from '../wire/cors.js';
import { type ApiRequest, mustBeSingle, mustNameHost, type RequestIds } from './api-request.js';
import { Failure, unanswered } from './failure.js';
import type { Rationing } from './rate-limit.js';
import { type Answer, brokenAnswer, conditional, failureAnswer, write } from './reply.js';

interface RequestFrameOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes a line for every request; undefined: only what could not be served is logged. */
  readonly accessLog: Logger | undefined;
  readonly metrics: EdgeMetrics;
  readonly ids: RequestIds;
  readonly cors: Cors;
  /** Undefined means no rate limit. */
  readonly rationing: Rationing | undefined;
  /** Undefined means that nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** How long a connection stays open for the next request. */
  readonly keepAliveMs: number;
  /** True during a stop: each connection then ends with its reply. */
  readonly isStopping: () => boolean;
}

export class RequestFrame {
  private readonly options: RequestFrameOptions;
  private warnedAt = Number.NEGATIVE_INFINITY;
  private unlogged = 0;

  constructor(options: RequestFrameOptions) {
    this.options = options;
  }

  /** @param work makes the answer, or throws a Failure. */
  async serve(
    req: BufferedRequest,
    res: ServerResponse,
    work: (request: ApiRequest) => Promise<Answer>,
  ): Promise<void> {
    const { clock, ids, metrics, cors, rationing, tracing } = this.options;
    const startedAt = clock.monotonic();
    const request = ids.request(req);
    if (tracing !== undefined) trace(request, tracing, startedAt);
    metrics.began();
    let answer: Answer;
    try {
      mustNameHost(req);
      mustBeSingle(req);
      answer = cors.preflight(req) ?? (await work(request));
      if (pays(req, answer)) answer = await compressed(answer);
      answer = conditional(req, answer);
    } catch (error) {
      await null; // Node may report an unreadable body now. Its reply must go first; this one is then dropped.
      answer = this.failed(error, request);
    }
    if (rationing !== undefined) {
      await rationing.take(request).catch((refusal) => {
        const { error } = answer; // It is logged, though the client sees the refusal.
        answer = { ...this.failed(refusal, request), ...(error !== undefined && { error }) };
      });
      answer = rationing.withHeaders(request, answer);
    }
    this.reply(request, res, answer, startedAt);
  }

  /** The answer to a request that did not come over HTTP. */
  async asked(request: ApiRequest, work: (request: ApiRequest) => Promise<Answer>): Promise<Answer> {
    try {
      return await work(request);
    } catch (thrown) {
      const { error, ...answer } = this.failed(thrown, request);
      const { requestId, traceId, correlation, route } = request;
      const { status } = answer;
      if (error !== undefined)
        this.options.logger.error({ requestId, traceId, correlation, route, status, err: error }, BROKEN);
      return answer;
    }
  }

  /** Records a request that Node could not read. @returns its id. */
  unreadable = (status: number): string => {
    const { ids, metrics, logger } = this.options;
    const requestId = ids.next();
    metrics.unreadable(status);
    logger.debug({ requestId, status }, 'A request could not be read.');
    return requestId;
  };

  // -------------------------------------------------------------- machinery

  private failed(error: unknown, request: ApiRequest): Answer {
    if (error instanceof Failure) return failureAnswer(error);
    if (error instanceof Unavailable) {
      return failureAnswer(unanswered(noAnswer(error), 'There is no answer at the moment: try again.'));
    }
    return { ...brokenAnswer(error), unreadBody: !request.req.complete };
  }

  private reply(request: ApiRequest, res: ServerResponse, answer: Answer, startedAt: number): void {
    const { clock, metrics, cors, keepAliveMs, isStopping } = this.options;
    const { req, route } = request;
    const close = isStopping() || isStuck(req);
    let isStreamed = false;
    try {
      isStreamed = write(req, res, answer, request, { headers: cors.headersFor(req), close, keepAliveMs });
    } finally {
      // The handler's own answer: another one may stand in its place, such as the refusal of the rate limit.
      if (!isStreamed) request.answer?.unstreamed?.();
    }
    const endedAt = clock.monotonic();
    const ms = endedAt - startedAt;
    request.span?.end({ method: req.method ?? '', route, status: answer.status }, endedAt);
    metrics.ended(route, req.method ?? '', answer.status, ms);
    this.log(request, answer, ms);
  }

  private log(request: ApiRequest, { status, cause, error, isProbe = false }: Answer, tookMs: number): void {
    const { logger, accessLog } = this.options;
    const { requestId, traceId, correlation, route } = request;
    const { method } = request.req;
    const ms = Math.round(tookMs * 100) / 100;
    const fields = { requestId, traceId, correlation, method, route, status, ms };
    const caused = cause === undefined ? fields : { ...fields, cause: String(cause) };
    const warns = cause !== undefined && !isProbe;
    if (error !== undefined) logger.error({ ...caused, err: error }, BROKEN);
    else if (accessLog !== undefined) {
      if (warns) accessLog.warn(caused, NOT_SERVED);
      else accessLog.info(caused, 'request');
    } else if (warns && this.mayWarn()) {
      logger.warn({ ...caused, unlogged: this.unlogged }, NOT_SERVED);
      this.unlogged = 0;
    } else logger.debug(caused, 'request');
  }

  private mayWarn(): boolean {
    const now = this.options.clock.monotonic();
    const may = now - this.warnedAt >= WARN_EVERY_MS;
    if (may) this.warnedAt = now;
    else this.unlogged++;
    return may;
  }
}

const NOT_SERVED = 'A request could not be served.';
const BROKEN = 'A request failed with an unexpected error.';

/** Operations of the API are traced; probes, metrics and pages are not. */
function trace(request: ApiRequest, tracing: Tracing, fromMs: number): void {
  const { req, correlation, requestId } = request;
  if (req.url?.startsWith('/api/') !== true) return;
  const traced = tracing.request(req.headers, fromMs);
  if (traced === undefined) return;
  const { traceparent, span } = traced;
  request.cause = withTrace(correlation, traceparent);
  if (span === undefined) return;
  request.traceId = traceparent.slice(3, 35); // The log names the trace that is kept.
  request.span = span;
  span.note('holdfast.correlation_id', correlation);
  if (requestId !== correlation) span.note('holdfast.request_id', requestId);
}

/** At most one warning a second: an outage must not fill the log. */
const WARN_EVERY_MS = 1_000;

/** After an upgrade request with an unread body, Node's parser waits forever and serves no further request. */
const isStuck = (req: IncomingMessage): boolean => req.headers.upgrade !== undefined && !req.complete;
