/**
 * Traces by the OpenTelemetry SDK, sent over OTLP/HTTP. The SDK reads the standard OTEL_* variables itself.
 *
 * Law: it is loaded only where an endpoint is set (deploy/holdfast.ts), and nothing else imports it.
 *  O1. Spans wait in a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE). What does not fit, and what the endpoint does not take, is lost
 *      and counted. The log says so once for each outage.
 *  O2. The stop sends what waits, within a deadline.
 *
 * Spans are made by hand around the ports, most of them afterwards. There is no context manager: a trace goes with the
 * correlation (actors/correlation.ts).
 */
import { randomFillSync } from 'node:crypto';
import {
  diag,
  ROOT_CONTEXT,
  type Span as SdkSpan,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  type IdGenerator,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import {
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';
import { type CallersTrace, callersTrace } from '../../actors/correlation.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { RequestHeaders, RequestSpan, Span, Tracing } from '../../actors/ports/tracing.js';

export interface TraceMeter {
  /** The endpoint took them. */
  sent(spans: number): void;
  /** open-telemetry.O1 */
  lost(spans: number): void;
}

/** As OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG have it. */
export interface Sampling {
  readonly root: 'always_on' | 'always_off' | 'traceidratio';
  /** A caller's own decision counts. */
  readonly isParentBased: boolean;
  readonly ratio: number;
}

interface OpenTelemetryParts {
  readonly sampling: Sampling;
  /** Unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says otherwise, as for the next two. */
  readonly serviceName: string;
  readonly instance: string;
  readonly version: string;
  readonly meter: TraceMeter;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SentTraces extends Tracing {
  /** open-telemetry.O2 */
  stop(deadlineMs: number): Promise<void>;
}

export function openTelemetry(parts: OpenTelemetryParts): SentTraces {
  const { sampling, serviceName, instance, version, clock, logger } = parts;
  // What the SDK has to say about its variables it says while it is made. Later it would repeat itself with each export.
  const say = (line: string) => logger.warn({}, `OpenTelemetry: ${line}`);
  diag.setLogger({ error: say, warn: say, info: () => {}, debug: () => {}, verbose: () => {} });
  const root = samplerOf(sampling);
  const ids = new Ids(shareOf(sampling));
  const sampler = sampling.isParentBased ? new ParentBasedSampler({ root }) : root;
  const outlet = new Outlet(parts);
  const ours = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: serviceName,
    [ATTR_SERVICE_VERSION]: version,
    [ATTR_SERVICE_INSTANCE_ID]: instance,
  });
  const resource = defaultResource()
    .merge(ours)
    .merge(detectResources({ detectors: [envDetector] }));
  const provider = new BasicTracerProvider({ resource, sampler, idGenerator: ids, spanProcessors: [outlet] });
  diag.disable();
  const tracer = provider.getTracer('holdfast', version);
  const propagator = new W3CTraceContextPropagator();
  const times = new WallTimes(clock);
  const samplesById = (traceId: string) =>
    root.shouldSample(ROOT_CONTEXT, traceId, '', SpanKind.SERVER, {}, []).decision !== SamplingDecision.NOT_RECORD;
  return {
    request(headers, fromMs) {
      const caller = callersTrace(headers.traceparent);
      if (caller !== undefined) {
        const isWanted = sampling.isParentBased ? caller.isSampled : samplesById(caller.traceId);
        if (!isWanted) return { traceparent: ids.passedOn(caller), span: undefined };
      } else if (!ids.drawsSampled()) return undefined; // Most requests end here.
      const above = caller === undefined ? ROOT_CONTEXT : propagator.extract(ROOT_CONTEXT, headers, HEADERS);
      const span = tracer.startSpan('request', { kind: SpanKind.SERVER, startTime: times.of(fromMs) }, above);
      return { traceparent: traceparentOf(span), span: requestSpan(span, times) };
    },
    tell({ name, kind, parent, id, links = [], fromMs, toMs, about, failure }: Span) {
      ids.given = id;
      const above = trace.setSpanContext(ROOT_CONTEXT, contextOf(parent));
      const linked = links.map((other) => ({ context: contextOf(other) }));
      const span = tracer.startSpan(name, { kind: KINDS[kind], links: linked, startTime: times.of(fromMs) }, above);
      if (!span.isRecording()) return;
      if (about !== undefined) span.setAttributes(about);
      if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      span.end(times.of(toMs));
    },
    async stop(deadlineMs) {
      let cancel = () => {};
      const late = new Promise<void>((resolve) => {
        cancel = clock.after(deadlineMs, resolve);
      });
      await Promise.race([provider.shutdown().catch(() => {}), late]); // The outlet counts what was not taken.
      cancel();
      outlet.end();
    },
  };
}

// ---------------------------------------------------------------- machinery

const KINDS = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT, producer: SpanKind.PRODUCER } as const;

/** The SDK's own default, as its documentation names it. */
const QUEUE_SIZE = 2_048;
/** A loss after so long without one is told again. */
const QUIET_MS = 60_000;

const HEADERS = {
  keys: (headers: RequestHeaders) => Object.keys(headers),
  get: (headers: RequestHeaders, name: string) => headers[name],
};

const requestSpan = (span: SdkSpan, times: WallTimes): RequestSpan => ({
  note: (name, value) => void span.setAttribute(name, value),
  end({ method, route, status }, toMs) {
    span.updateName(`${method} ${route}`);
    span.setAttribute(ATTR_HTTP_REQUEST_METHOD, method);
    span.setAttribute(ATTR_HTTP_ROUTE, route);
    span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(times.of(toMs));
  },
});

function traceparentOf(span: SdkSpan): string {
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
}

/** @param parent is one of ours, or of the same form */
const contextOf = (parent: string) => ({
  traceId: parent.slice(3, 35),
  spanId: parent.slice(36, 52),
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
});

function samplerOf({ root, ratio }: Sampling): Sampler {
  if (root === 'traceidratio') return new TraceIdRatioBasedSampler(ratio);
  return root === 'always_on' ? new AlwaysOnSampler() : new AlwaysOffSampler();
}

/** The share of the requests without a caller's trace. */
const shareOf = ({ root, ratio }: Sampling): number => (root === 'traceidratio' ? ratio : root === 'always_on' ? 1 : 0);

/** The ids of the next span, where they must be certain ones; else random ones. */
class Ids implements IdGenerator {
  given: string | undefined;
  /** The next root's trace. */
  private trace: string | undefined;
  private readonly words = new Uint32Array(POOL_WORDS);
  private at = POOL_WORDS;
  private readonly bound: number;

  constructor(share: number) {
    this.bound = share >= 1 ? 2 ** 32 : Math.floor(share * 0xffff_ffff);
  }

  /**
   * Draws whether the next root is sampled, and only then its trace. TraceIdRatioBasedSampler folds a trace's four words into one,
   * and compares that with its share. So that one is drawn first, and the trace is made to fit it: whoever samples by the
   * trace's id at the same share decides the same.
   */
  drawsSampled(): boolean {
    const folded = this.word();
    if (folded >= this.bound) return false;
    const [a, b, c] = [this.word(), this.word(), this.word()];
    this.trace = hex(a) + hex(b) + hex(c) + hex((folded ^ a ^ b ^ c) >>> 0);
    return true;
  }

  /** The trace of a request that is not sampled. A flag that changes takes a new parent (W3C Trace Context, 3.4). */
  passedOn({ traceId, parentId, isSampled }: CallersTrace): string {
    return `00-${traceId}-${isSampled ? this.generateSpanId() : parentId}-00`;
  }

  /** An id that is all zeros is not valid, and is as likely as a guessed key. */
  generateTraceId = () => {
    const { trace } = this;
    this.trace = undefined;
    return trace ?? hex(this.word()) + hex(this.word()) + hex(this.word()) + hex(this.word());
  };

  generateSpanId = () => {
    const { given } = this;
    this.given = undefined;
    return given ?? hex(this.word()) + hex(this.word());
  };

  /** One call to the kernel serves many. */
  private word(): number {
    if (this.at === POOL_WORDS) {
      randomFillSync(this.words);
      this.at = 0;
    }
    return this.words[this.at++] as number;
  }
}

const POOL_WORDS = 1_024;
const hex = (word: number) => word.toString(16).padStart(8, '0');

/** Moments of the monotonic clock as wall clock: within a trace no time goes back, and a clock that was set is followed. */
class WallTimes {
  private originMs: number;

  constructor(private readonly clock: Clock) {
    this.originMs = clock.now() - clock.monotonic();
  }

  of(monotonicMs: number): number {
    const { clock } = this;
    const originMs = clock.now() - clock.monotonic();
    if (Math.abs(originMs - this.originMs) > MOST_DRIFT_MS) this.originMs = originMs;
    return this.originMs + monotonicMs;
  }
}

/** The wall clock is read in whole milliseconds. */
const MOST_DRIFT_MS = 2;

/** open-telemetry.O1: counts what waits, so that no span is dropped uncounted. */
class Outlet implements SpanProcessor {
  private readonly inner: SpanProcessor;
  private readonly most: number;
  private waiting = 0;
  private lostAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: OpenTelemetryParts) {
    const { meter } = parts;
    const exporter = new OTLPTraceExporter();
    const counted: SpanExporter = {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          this.waiting -= spans.length;
          if (result.code === ExportResultCode.SUCCESS) meter.sent(spans.length);
          else this.lose(spans.length, result.error?.message ?? 'no reason given');
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
    };
    this.most = Number(process.env.OTEL_BSP_MAX_QUEUE_SIZE) || QUEUE_SIZE;
    this.inner = new BatchSpanProcessor(counted, { maxQueueSize: this.most });
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.waiting >= this.most) return this.lose(1, 'the queue is full');
    this.waiting++;
    this.inner.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.inner.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.inner.shutdown();
  }

  /** Nothing is sent any more. */
  end(): void {
    if (this.waiting > 0) this.lose(this.waiting, 'the process ends');
    this.waiting = 0;
  }

  private lose(spans: number, cause: string): void {
    const { meter, clock, logger } = this.parts;
    meter.lost(spans);
    const nowMs = clock.monotonic();
    if (nowMs - this.lostAtMs > QUIET_MS) {
      logger.warn(
        { cause },
        'spans are lost: the tracing endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) does not take them, or not fast enough. Orders do not wait for it; holdfast_trace_spans_total counts them',
      );
    }
    this.lostAtMs = nowMs;
  }
}
