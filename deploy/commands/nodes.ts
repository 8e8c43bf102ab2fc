// `holdfast nodes`: which nodes there are and which partitions each owns, as a table for people. A running node is asked first.
// Where none answers, the claims log is read, which does not know whether a node is alive.

import type { z } from 'zod';
import { readClaims } from '../../bus/journal/log-reader.js';
import { claimedPlaces } from '../../bus/node/claimed-places.js';
import { PARTITION_STATES, placementReply } from '../../http/api/reply-schemas.js';
import type { PostgresClient } from '../../storage/postgres/postgres.js';
import type { Config } from '../config/config.js';
import { look, type Place, print, say } from './place.js';
import { withStoredLog } from './stored-log.js';

export const NODES_USAGE = `  holdfast nodes          show the nodes and the partitions that each owns
                          exit 0: each partition has an owner; 1: one has none, or its node is not alive; 2: could not look`;

const EXIT_OWNED = 0;
const EXIT_FREE = 1;
const ASK_MS = 2_000;

type Placed = Pick<z.output<typeof placementReply>, 'data' | 'nodes'>;

export async function showNodes(config: Config): Promise<number> {
  const placed = await askNodes(config);
  return placed === undefined ? look(config, readLog) : tell(placed);
}

function tell(placed: Placed): number {
  for (const line of tableOf(placed)) print(line);
  return isOwned(placed) ? EXIT_OWNED : EXIT_FREE;
}

/** Each partition has an owner, and none of them is known to be dead. */
export const isOwned = ({ data, nodes }: Placed): boolean => {
  const dead = new Set(nodes.filter(({ alive }) => alive === false).map(({ node }) => node));
  return data.every(({ node }) => node !== undefined && !dead.has(node));
};

const HEAD = ['NAME', 'NODE', 'PARTITIONS', 'SINCE', 'ALIVE'];

/** One line for each node, then one for the partitions in each state but running. */
export function tableOf({ data, nodes }: Placed): string[] {
  const rows = nodes.map(({ node, name, alive }) => {
    const owned = data.filter((each) => each.node === node);
    const since = owned.flatMap((each) => each.since ?? []).sort();
    const which = owned.length === 0 ? '0' : `${owned.length}: ${rangesOf(owned.map(({ partition }) => partition))}`;
    return [name, node, which, since.at(-1) ?? '-', alive === undefined ? 'unknown' : alive ? 'yes' : 'no'];
  });
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  for (const state of PARTITION_STATES) {
    const found = data.filter((each) => each.state === state).map(({ partition }) => partition);
    if (state !== 'running' && found.length > 0) lines.push(`${state}: ${rangesOf(found)}`);
  }
  return lines;
}

/** `0-3 7` for 0, 1, 2, 3 and 7. @param numbers ascending. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');
}

async function askNodes(config: Config): Promise<Placed | undefined> {
  for (const port of [config.port, config.inventoryPort]) {
    if (port === undefined || port === 0) continue;
    const url = `http://${hostOf(config.host)}:${port}/internal/placement`;
    const placed = await ask(url, config.adminKey);
    if (placed === undefined) continue;
    say(`asked ${url}`);
    return placed;
  }
  return undefined;
}

/** An address to listen on everywhere is no address to connect to. */
const hostOf = (host: string): string =>
  host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;

async function ask(url: string, key: string | undefined): Promise<Placed | undefined> {
  try {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const reply = await fetch(url, { headers, signal: AbortSignal.timeout(ASK_MS), redirect: 'error' });
    if (reply.status === 200) return placementReply.parse(await reply.json());
    say(`${url} answers ${reply.status}${reply.status === 401 ? ' (set ADMIN_KEY to ask it)' : ''}`);
  } catch {
    // Nothing of ours listens there.
  }
  return undefined;
}

async function readLog(client: PostgresClient, place: Place): Promise<number> {
  try {
    return await withStoredLog(client, place, 'holdfast nodes', async (log, { partitions }) => {
      const { records } = await readClaims(log);
      const { partitions: data, nodes } = claimedPlaces(records, partitions);
      say('no node answers: this is what the claims log says');
      return tell({ data: data.map((each) => ({ ...each, since: timeOf(each.since) })), nodes: [...nodes] });
    });
  } finally {
    await client.end();
  }
}

const timeOf = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();
