// What `holdfast watch` knows of a system at one moment: a few small questions, each of which may be refused or fail alone.

import type { z } from 'zod';
import type { statsReply } from '../../http/api/number-schemas.js';
import type { placementReply } from '../../http/api/reply-schemas.js';
import type { Gremlin } from './gremlin.js';
import type { Product } from './order-lines.js';
import type { HealthOf } from './status.js';
import { allProducts } from './stock.js';
import { Interrupted, Refused, type System } from './system.js';

export interface Sample {
  readonly atMs: number;
  readonly health: HealthOf | undefined;
  /** Of the orders that were placed since midnight UTC, by their status now. */
  readonly orders: Readonly<Record<string, number>> | undefined;
  /** Orders that the node which answers was asked to place, by how long it took. */
  readonly placing: Placing | undefined;
  readonly nodes: readonly NodeSeen[] | undefined;
  readonly gremlin: Gremlin | undefined;
  readonly products: readonly Product[] | undefined;
  /** Why something is missing, each as a sentence. */
  readonly problems: readonly string[];
}

interface NodeSeen {
  readonly name: string;
  readonly alive: boolean | undefined;
  readonly partitions: number;
}

/** Counts of a histogram: how many took at most so many seconds, ascending, with all of them last. */
type Placing = readonly (readonly [atMost: number, count: number])[];

/** Products are many, and change slowly: they are read less often, and no more than these. */
const PRODUCT_PAGES = 10;

export async function sampleOf(
  system: System,
  now: number,
  withProducts: boolean,
  before: Sample | undefined,
): Promise<Sample> {
  const problems = new Set<string>();
  const asked = async <T>(
    path: string,
    read: (reply: { body: unknown; text: string }) => T,
    isText = false,
  ): Promise<T | undefined> => {
    try {
      return read(await system.ask({ path, takes: [503], isText }));
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      problems.add(`${error instanceof Refused ? `${path.replace(/\?.*/, '')}: ` : ''}${(error as Error).message}`);
      return undefined;
    }
  };
  const today = new Date(now).toISOString().slice(0, 10);
  const [health, orders, placing, nodes, gremlin] = await Promise.all([
    asked('/health', ({ body }) => body as HealthOf),
    asked(`/api/stats?by=total&from=${today}`, ({ body }) => statusesIn(body as z.output<typeof statsReply>)),
    asked('/metrics', ({ text }) => placingIn(text), true),
    asked('/internal/placement', ({ body }) => nodesIn(body as z.output<typeof placementReply>)),
    asked('/internal/gremlin/status', ({ body }) => (body as { readonly data?: Gremlin }).data),
  ]);
  const products = withProducts ? await productsOf(system, problems) : before?.products;
  return { atMs: now, health, orders, placing, nodes, gremlin, products, problems: [...problems] };
}

/** Orders a second between two samples; undefined where that is not known. */
export function rateOf(before: Sample | undefined, now: Sample): number | undefined {
  if (before?.orders === undefined || now.orders === undefined) return undefined;
  const placed = totalOf(now.orders) - totalOf(before.orders);
  // A new day begins with no orders.
  return placed < 0 ? undefined : (placed * 1_000) / Math.max(1, now.atMs - before.atMs);
}

/** The time in ms that this share of the placed orders took at most, between two samples of one node. */
export function quantileOf(share: number, before: Sample | undefined, now: Sample): number | undefined {
  const was = new Map(before?.placing ?? []);
  const counts = (now.placing ?? []).map(([atMost, count]) => [atMost, count - (was.get(atMost) ?? 0)] as const);
  const all = counts.at(-1)?.[1] ?? 0;
  // Fewer than before: another node has answered.
  if (before?.placing === undefined || all <= 0 || counts.some(([, count]) => count < 0)) return undefined;
  const wanted = share * all;
  let [from, below] = [0, 0];
  for (const [atMost, count] of counts) {
    if (count >= wanted) {
      if (!Number.isFinite(atMost)) return from * 1_000;
      return (from + ((atMost - from) * (wanted - below)) / Math.max(1, count - below)) * 1_000;
    }
    [from, below] = [atMost, count];
  }
  return undefined;
}

export const totalOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** From Prometheus' text: every series of placing an order, added up. */
export function placingIn(text: string): Placing {
  const counts = new Map<number, number>();
  for (const [, labels = '', value] of text.matchAll(
    /^holdfast_http_request_duration_seconds_bucket\{([^}]*)\} (\d+)$/gm,
  )) {
    if (!labels.includes('route="/api/orders"') || !labels.includes('method="POST"')) continue;
    const le = /le="([^"]+)"/.exec(labels)?.[1] ?? '';
    const atMost = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
    counts.set(atMost, (counts.get(atMost) ?? 0) + Number(value));
  }
  return [...counts].sort(([a], [b]) => a - b);
}

// ---------------------------------------------------------------- machinery

function statusesIn({ data }: z.output<typeof statsReply>): Record<string, number> | undefined {
  if (data === undefined) return undefined; // 503: lists do not answer.
  const sums: Record<string, number> = {};
  for (const { statuses } of data) {
    for (const [status, count] of Object.entries(statuses)) sums[status] = (sums[status] ?? 0) + count;
  }
  return sums;
}

function nodesIn({ data, nodes }: z.output<typeof placementReply>): NodeSeen[] | undefined {
  return nodes?.map(({ node, name, alive }) => ({
    ...{ name, alive },
    partitions: data.filter((each) => each.node === node).length,
  }));
}

async function productsOf(system: System, problems: Set<string>): Promise<readonly Product[] | undefined> {
  try {
    return (await allProducts(system, PRODUCT_PAGES)).products;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    problems.add((error as Error).message);
    return undefined;
  }
}
