/**
 * An edge on free ports in front of owners in memory, and a client that shows a whole reply.
 */
import type { Logger } from '../../../actors/ports/runtime.js';
import { type Edge, type EdgeOptions, startEdge } from '../../../http/edge.js';
import { createRegistry } from '../../../http/node/edge-metrics.js';
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
  readonly edge: Edge;
  readonly base: string;
  readonly inventoryBase: string;
  readonly logged: string[];
  get(path: string, headers?: Record<string, string>): Promise<Shown>;
  /** A text is sent unchanged. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Shown>;
  stop(): Promise<void>;
}

export async function startFixture(more: Partial<EdgeOptions> = {}): Promise<Fixture> {
  const owners = new FakeOwners();
  const logged: string[] = [];
  const note = (level: string) => (fields: object, line: string) =>
    void logged.push(`${level} ${line} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: () => {}, info: note('info'), warn: note('warn'), error: note('error') };
  const edge = await startEdge({
    host: '127.0.0.1',
    port: 0,
    inventoryPort: 0,
    owners,
    queries: owners,
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
    version: 'test',
    ...more,
  });
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
