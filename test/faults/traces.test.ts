// One order over two real nodes is one trace: its tree, what events say of it, and what happens while the endpoint is away.

import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { messagesAfter } from '../../bus/nats/streams.js';
import { patientMs, until } from '../deadlines.js';
import { otlpReceiver, type ReceivedSpan, treeOf } from '../servers/otlp-receiver.js';
import { Cluster } from './rig/cluster.js';
import { type Environment, RealSystem } from './rig/real-system.js';

const PRODUCTS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];
const TOLD_MS = 20_000;
const SERVER = 2;

/** Says at its end how many files of the SDK it has loaded. Its API alone is what prom-client needs too. */
const TELLS = `import { createRequire } from 'node:module';
process.on('exit', () => {
  const files = Object.keys(createRequire(process.execPath).cache);
  const sdk = files.filter((file) => /@opentelemetry.(?!api.)/.test(file));
  process.stderr.write('sdk modules: ' + sdk.length + '\\n');
});`;
const TELLS_MODULES = `--import=data:text/javascript,${encodeURIComponent(TELLS)}`;

const test = suite('traces');
const receiver = await otlpReceiver();
const built = await Cluster.build({
  ...{ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=shop' },
  ...{ OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test', OTEL_BSP_SCHEDULE_DELAY: '100' },
});

if (!('skipped' in built)) {
  const cluster = built;
  let one: RealSystem;
  let two: RealSystem;

  test.before(async () => {
    await cluster.start('one', 'two');
    [one, two] = cluster.nodes as [RealSystem, RealSystem];
    await one.stock(PRODUCTS, 1_000);
  });
  test.after(async () => {
    await cluster.demolish();
    await receiver.stop();
  });

  interface Placed {
    readonly id: string;
    readonly trace: string;
    /** The span of the caller. */
    readonly caller: string;
    readonly headers: Headers;
  }

  /** @param flags 01: sampled */
  async function place(key: string, flags = '01', mangle = (traceparent: string) => traceparent): Promise<Placed> {
    const [trace, caller] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
    const reply = await fetch(`${one.url}/api/orders`, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', 'idempotency-key': key, 'x-correlation-id': `about-${key}` },
        traceparent: mangle(`00-${trace}-${caller}-${flags}`),
      },
      body: JSON.stringify({ user_id: 'u', items: PRODUCTS.map((product_id) => ({ product_id, quantity: 1 })) }),
      signal: AbortSignal.timeout(patientMs(TOLD_MS)),
    });
    const text = await reply.text();
    assert.is(reply.status, 201, text);
    return { id: (JSON.parse(text) as { data: { id: string } }).data.id, trace, caller, headers: reply.headers };
  }

  const spansOf = ({ trace }: Pick<Placed, 'trace'>) => receiver.spans.filter((span) => span.trace === trace);
  const isAt = (node: RealSystem) => (span: ReceivedSpan) =>
    span.resource['service.instance.id'] === node.env.NODE_NAME;
  const named = (spans: readonly ReceivedSpan[], name: string) => spans.filter((span) => span.name === name);
  const shown = (spans: readonly ReceivedSpan[]) =>
    treeOf(spans, ({ name, resource }) => `${name} [${resource['service.instance.id']}]`).join('\n');

  /** The events of an order on EVENTS, once it is confirmed there. */
  async function eventsOf(id: string): Promise<readonly { readonly type: string; readonly traceparent?: string }[]> {
    const nats = await connectNats(cluster.nats.url, {
      name: 'test',
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
    let found: { readonly type: string; readonly subject: string; readonly traceparent?: string }[] = [];
    try {
      const isThere = await until(async () => {
        found = [];
        for (let at = 0; ; ) {
          const page = await messagesAfter(nats, 'EVENTS', 'events.>', at);
          if (page.length === 0) break;
          for (const { seq, text } of page) {
            found.push(...JSON.parse(text).filter(({ subject }: { subject: string }) => subject === id));
            at = seq;
          }
        }
        return found.some(({ type }) => type === 'order.confirmed.v1');
      }, TOLD_MS);
      assert.ok(isThere, `EVENTS has the confirmation of ${id}`);
    } finally {
      await nats.close();
    }
    return found;
  }

  let traced: Placed;

  test('an order that another node owns is one trace over both, without a gap from parent to child', async () => {
    // A key's hash chooses the owner: one of a few keys is of the other node.
    let spans: readonly ReceivedSpan[] = [];
    for (let i = 0; named(spans, 'ask place').length === 0 && i < 32; i++) {
      traced = await place(`traced-${i}`);
      await until(() => named(spansOf(traced), 'POST /api/orders').length > 0, TOLD_MS);
      spans = spansOf(traced);
    }
    const isWhole = () => {
      spans = spansOf(traced);
      const ids = new Set([traced.caller, ...spans.map(({ id }) => id)]);
      const names = [
        'turn',
        'append',
        'publish EVENTS',
        'flush orders',
        'flush products',
        'letter hold',
        'letter commit',
      ];
      return names.every((name) => named(spans, name).length > 0) && spans.every(({ parent }) => ids.has(parent));
    };
    assert.ok(await until(isWhole, TOLD_MS), shown(spans));

    const [root] = named(spans, 'POST /api/orders');
    assert.equal([root?.parent, root?.kind], [traced.caller, SERVER]);
    assert.equal(
      [root?.about['http.response.status_code'], root?.about['http.route'], root?.about['holdfast.order_id']],
      [201, '/api/orders', traced.id],
    );
    const [ask] = named(spans, 'ask place');
    assert.ok(root && ask && isAt(one)(ask) && ask.parent === root.id, shown(spans));
    const [decided] = named(spans, 'turn').filter(({ parent }) => parent === ask?.id);
    assert.ok(decided && isAt(two)(decided), shown(spans));
    assert.is(decided?.about['holdfast.order_id'], traced.id);
    for (const name of ['append', 'publish EVENTS', 'flush orders']) {
      const [below] = named(spans, name).filter(({ parent }) => parent === decided?.id);
      assert.ok(below && isAt(two)(below), `${name} is below the turn\n${shown(spans)}`);
    }
    const back = named(spans, 'letter hold').filter(isAt(two));
    const turns = named(spans, 'turn').filter(isAt(one));
    assert.ok(
      back.some(({ id }) => turns.some(({ parent }) => parent === id)),
      `a letter has led to a turn of one\n${shown(spans)}`,
    );
    for (const { fromNs, toNs, resource, status } of spans) {
      assert.ok(fromNs <= toNs);
      assert.is(status, 0);
      assert.is(resource['deployment.environment.name'], 'test');
    }
    assert.ok(receiver.headers.every((headers) => headers['x-tenant'] === 'shop'));
  });

  test("events say the trace; clients see the request's name alone", async () => {
    const events = await eventsOf(traced.id);
    assert.ok(events.length >= 4);
    for (const { type, traceparent = '' } of events) {
      assert.match(traceparent, new RegExp(`^00-${traced.trace}-[0-9a-f]{16}-01$`), type);
    }
    assert.match(traced.headers.get('x-correlation-id') ?? '', /^about-traced-\d+$/);
    const history = JSON.parse((await one.ask(`/api/orders/${traced.id}/history`))?.text ?? '{}');
    for (const { correlation_id: name } of history.data) assert.match(name, /^about-traced-\d+$/);
    const ledger = await until(async () => {
      const reply = await one.ask('/api/inventory/A/ledger');
      return /"correlation_id":"about-traced-\d+"/.test(reply?.text ?? '') && !reply?.text.includes(traced.trace);
    }, TOLD_MS);
    assert.ok(ledger);
  });

  test('a caller that does not sample is obeyed, and its trace goes on; what is no traceparent begins a new one', async () => {
    const unsampled = await place('unsampled', '00');
    const odd = await place('odd', '01', (traceparent) => traceparent.toUpperCase().replace(/^00/, '0g'));
    const passedOn = `00-${unsampled.trace}-${unsampled.caller}-00`;
    for (const { type, traceparent } of await eventsOf(unsampled.id)) assert.is(traceparent, passedOn, type);
    const [first] = await eventsOf(odd.id);
    const drawn = first?.traceparent?.slice(3, 35) ?? '';
    assert.match(drawn, /^[0-9a-f]{32}$/);
    assert.is.not(drawn, odd.trace);
    const rootOf = () => named(spansOf({ trace: drawn }), 'POST /api/orders')[0];
    assert.ok(await until(() => rootOf() !== undefined, TOLD_MS));
    assert.is(rootOf()?.parent, '');
    assert.equal(spansOf(unsampled), []);
  });

  test('a system with traces is clean', async () => {
    const { output, code } = await one.verify();
    assert.is(code, 0, output);
  });

  const lost = (node: RealSystem) => node.metric('holdfast_trace_spans_total\\{outcome="lost"\\}');

  test('an endpoint that refuses costs spans, which are counted and told once, and no order', async () => {
    assert.is(await lost(one), 0);
    receiver.answer = 400;
    for (let i = 0; i < 5; i++) await place(`refused-${i}`);
    assert.ok(await until(async () => (await lost(one)) > 0, TOLD_MS));
    await place('refused-again');
    const told = () => one.output.split('spans are lost').length - 1;
    assert.ok(await until(() => told() > 0, TOLD_MS));
    const before = await lost(one);
    await place('refused-later');
    assert.ok(await until(async () => (await lost(one)) > before, TOLD_MS));
    assert.is(told(), 1);
  });

  test('an endpoint that does not answer keeps no order and no stop waiting', async () => {
    receiver.answer = 'hang';
    for (let i = 0; i < 5; i++) await place(`hung-${i}`);
    await cluster.end(two);
    await cluster.owned([one], TOLD_MS);
    receiver.answer = 200;
    await place('alone');
  });

  test('a process without an endpoint loads nothing of the SDK, and one with an endpoint does', async () => {
    const system = await RealSystem.build();
    if ('skipped' in system) throw new Error(system.skipped);
    try {
      const loaded = async (changes: Environment) => {
        await system.start({ NODE_OPTIONS: TELLS_MODULES, ...changes });
        assert.is((await system.end('SIGTERM')).code, 0);
        return Number(/sdk modules: (\d+)/g.exec(system.output.slice(system.output.lastIndexOf('sdk modules')))?.[1]);
      };
      assert.is(await loaded({}), 0);
      assert.is(await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SDK_DISABLED: 'true' }), 0);
      assert.ok((await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })) > 20);
    } finally {
      await system.demolish();
    }
  });

  test.run();
} else {
  await receiver.stop();
  console.log(`SKIP traces: ${built.skipped}`);
}
