// `holdfast status`: whether a system takes orders, and how its parts are.

import type { z } from 'zod';
import type { healthReply } from '../../http/api/reply-schemas.js';
import { type Command, EXIT, type Given, type Terminal } from './command.js';
import { shown } from './order-lines.js';
import { interrupted } from './place.js';
import { System } from './system.js';

export const statusCommand: Command = {
  name: 'status',
  summary: 'Show whether a system takes orders, and how its parts are',
  about: 'system',
  notes: ['Without a key, a system with AUTH=keys tells its status alone.'],
  examples: [{ line: 'status', what: 'of the node of this environment' }],
  exits: '0: it takes orders, also if a part is down (degraded); 1: it does not',
  run: showStatus,
};

export type HealthOf = Partial<Exclude<z.output<typeof healthReply>, never>> & {
  readonly status: string;
  readonly version?: string;
  readonly journal?: { readonly kind: string; readonly guarantee: string };
  readonly dependencies?: Readonly<Record<string, { readonly status: string; readonly [more: string]: unknown }>>;
};

const ASK_MS = 5_000;

async function showStatus(_given: Given, terminal: Terminal): Promise<number> {
  const system = System.at(terminal, ASK_MS, interrupted());
  const health = (await system.ask({ path: '/health', takes: [503] })).body as HealthOf;
  const ready = await system.ask({ path: '/readyz', takes: [503] });
  if (health.status === undefined) throw system.notReached(`${system.url} does not answer as Holdfast does`);
  const takesOrders = ready.status === 200;
  const { message: why } = ready.body as { readonly message?: string };
  const parts = Object.entries(health.dependencies ?? {}).map(([name, { status, ...facts }]) => [
    name,
    status,
    factsOf(facts),
  ]);
  const value = { url: system.url, ready: takesOrders, ...(why !== undefined && { why }), ...health };
  terminal.answer(value, [
    `${system.url}  ${health.version === undefined ? '' : `${health.version}  `}${health.status}, ${takesOrders ? 'takes orders' : `takes no orders: ${why}`}`,
    ...(health.journal === undefined ? [] : [`journal in ${health.journal.kind}: ${health.journal.guarantee}`]),
    ...(parts.length === 0 ? [] : shown(['PART', 'STATUS', ''], parts, terminal)),
  ]);
  return takesOrders ? EXIT.done : EXIT.refused;
}

export const factsOf = (facts: Readonly<Record<string, unknown>>): string =>
  Object.entries(facts)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
