// What must hold on boards: who reaches which port, how long nobody was served, and that nothing acknowledged is lost.

import { Agent } from 'node:http';
import { connect } from 'node:net';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';
import { type Burst, bodyOf, type Entry, lastAnswer, orderIdIn, send } from '../../faults/rig/burst.js';
import { type Boards, DATABASE, NODES } from './boards.js';

const ANSWER_MS = 30_000;
const CONNECT_MS = patientMs(2_000);
const LANES = 8;

/** @returns how a connection from a board (undefined: from clients) to a port ends */
async function reaches(boards: Boards, from: string | undefined, to: string, port: number): Promise<boolean> {
  const host = boards.net.addressOf(to);
  if (from !== undefined) {
    const [command = '', ...rest] = [...boards.net.on(from), 'bash', '-c', `exec 3<>/dev/tcp/${host}/${port}`];
    return (await run(command, rest, { deadlineMs: CONNECT_MS })).code === 0;
  }
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

/** Edge to node yes, elsewhere to Postgres no. @returns what is not so */
export async function portProblems(boards: Boards): Promise<readonly string[]> {
  const expected: readonly (readonly [string | undefined, string, number, boolean])[] = [
    ...NODES.map((node) => [undefined, node, 3000, true] as const),
    ...[4222, 6222, 8222].map((port) => [undefined, NODES[0], port, false] as const),
    [undefined, DATABASE, 5432, false],
    [NODES[0], DATABASE, 5432, true],
    [NODES[0], NODES[1], 6222, true],
    [DATABASE, NODES[1], 4222, true],
    [DATABASE, NODES[1], 6222, false],
  ];
  const problems: string[] = [];
  for (const [from = 'a client', to, port, may] of expected) {
    const does = await reaches(boards, from === 'a client' ? undefined : from, to, port);
    console.log(`${from.padEnd(9)} to ${to}:${port}  ${does ? 'yes' : 'no'}`);
    if (does !== may) problems.push(`${from} ${may ? 'does not reach' : 'reaches'} ${to}:${port}`);
  }
  return problems;
}

/** @returns the longest time between two moments in which no order was confirmed, in milliseconds */
export function longestGap(load: Burst, from: number, to: number): number {
  const ends = load
    .attempts(from, to)
    .filter(({ answer }) => answer?.status === 201)
    .map(({ endedAt }) => endedAt);
  const moments = [from, ...ends.sort((a, b) => a - b), to];
  return Math.max(...moments.slice(1).map((moment, i) => moment - (moments[i] ?? moment)));
}

/** Every acknowledged order is there as it was answered, asked at one node after the other. @returns what is not so */
export async function entryProblems(boards: Boards, entries: readonly Entry[]): Promise<readonly string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: LANES });
  const { credential } = boards;
  const wrong: string[] = [];
  const queue = entries.entries();
  const ask = (url: string, method: string, body?: object, key?: string) =>
    send(agent, url, method, body, key, ANSWER_MS, credential);
  const lane = async () => {
    for (const [i, { purchase, key, attempts }] of queue) {
      const answer = attempts.findLast((attempt) => attempt.answer?.status === 201)?.answer;
      const id = answer && orderIdIn(answer.text);
      if (answer === undefined || id === undefined) continue;
      const url = boards.url(NODES[i % NODES.length] ?? '');
      const found = await ask(`${url}/api/orders/${id}`, 'GET');
      const again = await ask(`${url}/api/orders`, 'POST', bodyOf(purchase), key);
      if (found.status !== 200) wrong.push(`${id} is lost: ${found.status} ${found.text}`);
      else if (again.text !== answer.text)
        wrong.push(`${id} was answered ${answer.text}, its key now gives ${again.text}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  agent.destroy();
  const acknowledged = entries.filter((entry) => lastAnswer(entry)?.status === 201).length;
  console.log(`${entries.length} orders, ${acknowledged} acknowledged, ${wrong.length} of them wrong`);
  return acknowledged === 0 ? ['no order was acknowledged'] : wrong;
}
