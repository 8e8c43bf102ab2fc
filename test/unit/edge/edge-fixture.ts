/**
 * An edge on free ports in front of owners in memory, and a client that shows a whole reply.
 */
import { nodeId } from '../../../actors/ids.js';
import type { Placement } from '../../../actors/ports/placement.js';
import type { Logger } from '../../../actors/ports/runtime.js';
import type { Webhooks } from '../../../actors/ports/webhooks.js';
import { targetGuard } from '../../../bus/webhooks/target-guard.js';
import { failedDelivery, partnerWebhook } from '../../../http/api/operations/examples.js';
import { type Edge, type EdgeOptions, startEdge } from '../../../http/edge.js';
import { createRegistry } from '../../../http/node/edge-metrics.js';
import type { OverviewSource } from '../../../http/node/overview.js';
import { memoryReceiptKeys } from '../../../storage/memory/memory-stores.js';
import { memoryWebhooks } from '../../../storage/memory/memory-webhooks.js';
import { FakeOwners, realClock } from './fake-owners.js';

export interface Shown {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** The value at a path such as `data.order_items.0.quantity`; undefined if it is absent. */
  at(path: string): unknown;
}

export interface Fixture {
  readonly owners: FakeOwners;
  readonly edge: Edge & { readonly ports: { readonly main: number } };
  readonly base: string;
  readonly inventoryBase: string;
  readonly logged: string[];
  get(path: string, headers?: Record<string, string>): Promise<Shown>;
  /** A text is sent unchanged. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Shown>;
  stop(): Promise<void>;
}

const [one, two] = [nodeId('ONE'), nodeId('TWO')];

const TWO_NODES: Placement = {
  partitions: async () => [
    { partition: 0, node: one, name: 'shop-one', epoch: 3, since: 0, state: 'running' },
    { partition: 1, node: undefined, name: undefined, epoch: 0, since: undefined, state: 'free' },
  ],
  nodes: async () => [
    { node: one, name: 'shop-one', alive: true },
    { node: two, name: 'shop-two', alive: undefined },
  ],
};

const NOTHING_SEEN: OverviewSource = {
  ...{ name: 'shop-one', version: 'test', events: undefined },
  outcomes: () => ({ confirmed: 0, failed: 0, cancelled: 0 }),
  verdict: async () => undefined,
};

/** A store that has the webhook of the examples, with a delivery that has failed, and keeps both. */
async function webhooksWithExample(): Promise<Webhooks> {
  const { webhooks, queue } = memoryWebhooks(Date.now);
  const { id: webhook, url, types, description } = partnerWebhook;
  await webhooks.create({ id: webhook, url, types, description, secret: 'whsec_' });
  const { event_id: event, type } = failedDelivery;
  await queue.take(0, [{ webhook, event, type, actor: 'x', body: '{}' }], undefined);
  const [claim] = await queue.claim([{ webhook, room: 1 }], 1);
  if (claim === undefined) throw new Error('the delivery was not claimed');
  await queue.settle([{ ...claim, outcome: 'failed', status: 503, error: 'no', tookMs: 1, againInMs: 0 }]);
  return { ...webhooks, remove: (id) => (id === webhook ? webhooks.find(id) : webhooks.remove(id)) };
}

export async function startFixture(more: Partial<EdgeOptions> = {}): Promise<Fixture> {
  const owners = new FakeOwners();
  const logged: string[] = [];
  const note = (level: string) => (fields: object, line: string) =>
    void logged.push(`${level} ${line} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: () => {}, info: note('info'), warn: note('warn'), error: note('error') };
  const started = await startEdge({
    host: '127.0.0.1',
    port: 0,
    inventoryPort: 0,
    owners,
    queries: owners,
    receiptKeys: memoryReceiptKeys(),
    placement: TWO_NODES,
    overview: NOTHING_SEEN,
    surroundings: { auth: more.auth === undefined ? 'off' : 'keys', environment: 'development' },
    webhooks: { store: await webhooksWithExample(), whyNot: targetGuard({ allow: [], httpsOnly: true }).whyNot },
    listAgeMs: () => 41.2,
    health: async () => ({
      status: 'ok',
      version: 'test',
      journal: { kind: 'memory', guarantee: 'none' },
      dependencies: { postgres: { status: 'ok' } },
    }),
    ready: () => owners.notReady(),
    metrics: createRegistry(),
    logger,
    clock: realClock,
    waitMs: 3000,
    partitions: 16,
    version: 'test',
    ...more,
  });
  const edge = { ...started, ports: { ...started.ports, main: started.ports.main ?? 0 } };
  const base = `http://127.0.0.1:${edge.ports.main}`;
  const show = async (reply: Response): Promise<Shown> => {
    const text = await reply.text();
    const at = (path: string): unknown => {
      let found: unknown = JSON.parse(text);
      for (const name of path.split('.')) found = (found as Record<string, unknown> | undefined | null)?.[name];
      return found;
    };
    return { status: reply.status, text, headers: reply.headers, at };
  };
  const url = (path: string) => (path.startsWith('http') ? path : base + path);
  return {
    owners,
    edge,
    base,
    inventoryBase: `http://127.0.0.1:${edge.ports.inventory}`,
    logged,
    get: async (path, headers = {}) => show(await fetch(url(path), { headers })),
    post: async (path, body, headers = {}) =>
      show(
        await fetch(url(path), {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
      ),
    stop: () => edge.stop(2_000),
  };
}
