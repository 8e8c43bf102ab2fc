/** Which requests are sampled, by the sampler and by their caller, and what goes on of one that is not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../../bus/system-clock.js';
import { openTelemetry, type Sampling } from '../../../bus/tracing/open-telemetry.js';
import { silentLogger } from '../../../deploy/telemetry/silent-logger.js';
import { otlpReceiver } from '../../servers/otlp-receiver.js';

const test = suite('sampling of traces');

const [TRACE, PARENT] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
const header = (flags: string, trace = TRACE) => ({ traceparent: `00-${trace}-${PARENT}-${flags}` });
const REQUESTS = 2_000;
const STOP_MS = 5_000;

const receiver = await otlpReceiver();
process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
test.after(() => receiver.stop());

async function traced(sampling: Sampling, use: (traces: ReturnType<typeof openTelemetry>) => void) {
  const meter = { sent: () => {}, lost: () => {} };
  const about = { serviceName: 'shop', instance: 'one', version: '1' };
  const traces = openTelemetry({ sampling, ...about, meter, clock: systemClock(), logger: silentLogger });
  const before = receiver.spans.length;
  use(traces);
  await traces.stop(STOP_MS);
  return receiver.spans.slice(before);
}

/** As TraceIdRatioBasedSampler folds it. */
const folded = (trace: string) =>
  [0, 8, 16, 24].reduce((sum, at) => (sum ^ Number.parseInt(trace.slice(at, at + 8), 16)) >>> 0, 0);

test('a share of the roots is sampled: those that every sampler of this share takes by their ids', async () => {
  const ids: string[] = [];
  const spans = await traced({ root: 'traceidratio', isParentBased: true, ratio: 0.1 }, (traces) => {
    for (let i = 0; i < REQUESTS; i++) {
      const request = traces.request({}, 0);
      if (request === undefined) continue;
      assert.match(request.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      ids.push(request.traceparent.slice(3, 35));
      request.span?.end({ method: 'GET', route: '/', status: 200 }, 1);
    }
  });
  assert.ok(ids.length > REQUESTS / 20 && ids.length < REQUESTS / 5, String(ids.length));
  assert.is(new Set(ids).size, ids.length);
  for (const id of ids) assert.ok(folded(id) < 0.1 * 2 ** 32, id);
  assert.equal(new Set(spans.map(({ trace }) => trace)), new Set(ids));
  assert.ok(spans.every(({ parent }) => parent === ''));
});

test('all or none of the roots', async () => {
  await traced({ root: 'always_on', isParentBased: true, ratio: 0 }, (traces) => {
    for (let i = 0; i < 100; i++) assert.ok(traces.request({}, 0)?.span);
  });
  await traced({ root: 'always_off', isParentBased: true, ratio: 1 }, (traces) => {
    for (let i = 0; i < 100; i++) assert.is(traces.request({}, 0), undefined);
  });
});

test("a caller's flag decides, and its trace goes on either way", async () => {
  const spans = await traced({ root: 'always_off', isParentBased: true, ratio: 0 }, (traces) => {
    const request = traces.request(header('01'), 0);
    assert.match(request?.traceparent ?? '', new RegExp(`^00-${TRACE}-(?!${PARENT})[0-9a-f]{16}-01$`));
    request?.span?.end({ method: 'GET', route: '/', status: 200 }, 1);
    assert.equal(traces.request(header('00'), 0), { traceparent: header('00').traceparent, span: undefined });
    // Of the other flags nothing is known.
    assert.equal(traces.request(header('02'), 0), { traceparent: header('00').traceparent, span: undefined });
    assert.is(traces.request(header('00', '0'.repeat(32)), 0), undefined);
  });
  assert.equal(
    spans.map(({ trace, parent }) => [trace, parent]),
    [[TRACE, PARENT]],
  );
});

test('where the share holds for everybody, a flag that it changes takes a new parent', async () => {
  const share = { root: 'traceidratio', isParentBased: false } as const;
  await traced({ ...share, ratio: 0 }, (traces) => {
    const request = traces.request(header('01'), 0);
    assert.is(request?.span, undefined);
    assert.match(request?.traceparent ?? '', new RegExp(`^00-${TRACE}-(?!${PARENT})[0-9a-f]{16}-00$`));
  });
  await traced({ ...share, ratio: 1 }, (traces) => assert.ok(traces.request(header('00'), 0)?.span));
});

test.run();
