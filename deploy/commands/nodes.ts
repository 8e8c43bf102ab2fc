// `holdfast nodes`: which nodes there are and which partitions each owns, as a table for people. A running node is asked first.
// Where none answers, the claims log is read, which does not know whether a node is alive.

import type { z } from 'zod';
import { readClaims } from '../../bus/journal/log-reader.js';
import { claimedPlaces } from '../../bus/node/claimed-places.js';
import { PARTITION_STATES, placementReply } from '../../http/api/reply-schemas.js';
import type { PostgresClient } from '../../storage/postgres/postgres.js';
import type { Config } from '../config/config.js';
import { type Command, EXIT, type Terminal } from './command.js';
import { interrupted, look, type Place, say } from './place.js';
import { withStoredLog } from './stored-log.js';
import { givenAddress, localAddresses, NotReached, Refused, System } from './system.js';
import { tableOf } from './text-table.js';

export const nodesCommand: Command = {
  name: 'nodes',
  summary: 'Show the nodes and the partitions that each owns',
  about: 'both',
  examples: [{ line: 'nodes', what: 'one line for each node' }],
  exits:
    '0: each partition has an owner; 1: one has none, or its node is not alive; 2: could not look; 3: no answer at HOLDFAST_URL',
  run: (_given, terminal) => showNodes(terminal),
};

const ASK_MS = 2_000;
const PATH = '/internal/placement';

type Placed = Pick<z.output<typeof placementReply>, 'data' | 'nodes'>;

async function showNodes(terminal: Terminal): Promise<number> {
  if (givenAddress(terminal.env.HOLDFAST_URL) !== undefined) {
    return tell(await ask(System.at(terminal, ASK_MS, interrupted())), terminal);
  }
  const config = terminal.config();
  const placed = await askNodes(config, terminal);
  return placed === undefined
    ? look(config, (client, place) => readLog(client, place, terminal))
    : tell(placed, terminal);
}

function tell(placed: Placed, terminal: Terminal): number {
  terminal.answer({ partitions: placed.data, nodes: placed.nodes }, linesOf(placed, terminal.columns));
  return isOwned(placed) ? EXIT.done : EXIT.refused;
}

/** Each partition has an owner, and none of them is known to be dead. */
export const isOwned = ({ data, nodes }: Placed): boolean => {
  const dead = new Set(nodes.filter(({ alive }) => alive === false).map(({ node }) => node));
  return data.every(({ node }) => node !== undefined && !dead.has(node));
};

const HEAD = ['NAME', 'NODE', 'PARTITIONS', 'SINCE', 'ALIVE'];

/** One line for each node, then one for the partitions in each state but running. */
export function linesOf({ data, nodes }: Placed, columns?: number): string[] {
  const rows = nodes.map(({ node, name, alive }) => {
    const owned = data.filter((each) => each.node === node);
    const since = owned.flatMap((each) => each.since ?? []).sort();
    const which = owned.length === 0 ? '0' : `${owned.length}: ${rangesOf(owned.map(({ partition }) => partition))}`;
    return [name, node, which, since.at(-1) ?? '-', alive === undefined ? 'unknown' : alive ? 'yes' : 'no'];
  });
  const lines = tableOf(HEAD, rows, columns);
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

async function askNodes(config: Config, terminal: Terminal): Promise<Placed | undefined> {
  for (const url of localAddresses(config)) {
    const HOLDFAST_KEY = terminal.env.HOLDFAST_KEY || config.adminKey;
    const there = { ...terminal, env: { ...terminal.env, HOLDFAST_URL: url, HOLDFAST_KEY } };
    try {
      const placed = await ask(System.at(there, ASK_MS, AbortSignal.any([])));
      say(`asked ${url}${PATH}`);
      return placed;
    } catch (error) {
      if (error instanceof Refused) say(`${url}${PATH}: ${error.message}`);
      else if (!(error instanceof NotReached)) throw error;
    }
  }
  return undefined;
}

/** Once: where no node listens, the servers are read. */
async function ask(system: System): Promise<Placed> {
  const { data, error } = placementReply.safeParse((await system.ask({ path: PATH, once: true })).body);
  if (error === undefined) return data;
  throw system.notReached(`${system.url}${PATH} does not answer as Holdfast does`);
}

async function readLog(client: PostgresClient, place: Place, terminal: Terminal): Promise<number> {
  try {
    return await withStoredLog(client, place, 'holdfast nodes', async (log, { partitions }) => {
      const { records } = await readClaims(log);
      const { partitions: data, nodes } = claimedPlaces(records, partitions);
      say('no node answers: this is what the claims log says');
      return tell({ data: data.map((each) => ({ ...each, since: timeOf(each.since) })), nodes: [...nodes] }, terminal);
    });
  } finally {
    await client.end();
  }
}

const timeOf = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();
