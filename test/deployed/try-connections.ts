/**
 * Who reaches whom, tried in network namespaces: a program of its own, which runs in namespaces without a way out.
 *   echo '<Attempt as JSON>' | unshare --net --mount node try-connections.js     prints Found as JSON
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { BoardNet } from '../bench/boards/board-net.js';
import { patientMs } from '../deadlines.js';

export interface Attempt {
  /** By name: a public address, if it has one, and a file for nft. */
  readonly ends: Readonly<Record<string, { readonly address?: string; readonly rules?: string }>>;
  readonly ports: readonly number[];
}

/** Each as `from to:port`. */
export interface Found {
  readonly withoutRules: readonly string[];
  readonly withRules: readonly string[];
}

/** The address of an end that has no other, by its place in the list. */
export const addressOf = (place: number): string => `10.87.0.${11 + place}`;

const SHORT_MS = 20_000;
const CONNECT_MS = 2_000;
const LISTENS = `const ports = JSON.parse(process.argv[1]);
let left = ports.length;
for (const port of ports) require('net').createServer((socket) => socket.end()).listen(port, () => --left || console.log('there'));`;
const CONNECTS = `const [ms, ...targets] = JSON.parse(process.argv[1]);
for (const [name, host, port] of targets) {
  const socket = require('net').connect({ host, port, timeout: ms });
  socket.once('connect', () => { console.log(name); socket.destroy(); });
  for (const end of ['error', 'timeout']) socket.once(end, () => socket.destroy());
}`;

if (process.argv[1]?.endsWith('try-connections.js')) {
  const { ends, ports } = JSON.parse(await text(process.stdin)) as Attempt;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-policies-'));
  const listeners: ChildProcess[] = [];
  try {
    const names = Object.keys(ends);
    const net = new BoardNet(names, folder);
    const on = (name: string, ...command: string[]): [string, string[]] => {
      const [first = '', ...rest] = [...net.on(name), ...command];
      return [first, rest];
    };
    const whereIs = (name: string) => ends[name]?.address ?? net.addressOf(name);
    for (const name of names) {
      const own = ends[name]?.address;
      if (own === undefined || own === net.addressOf(name)) continue;
      const does = (at: string, ...words: string[]) => execFileSync(...on(at, 'ip', ...words), { timeout: SHORT_MS });
      does(name, 'addr', 'add', `${own}/32`, 'dev', 'eth0');
      does(name, 'route', 'replace', '10.87.0.0/24', 'dev', 'eth0', 'src', own);
      for (const other of names) if (other !== name) does(other, 'route', 'add', `${own}/32`, 'dev', 'eth0');
    }
    const listen = (name: string) =>
      new Promise<void>((resolve, reject) => {
        const child = spawn(...on(name, process.execPath, '-e', LISTENS, JSON.stringify(ports)), {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        listeners.push(child);
        child.stdout.once('data', () => resolve());
        child.once('exit', (code) => reject(new Error(`the listener of ${name} ended with ${code}`)));
      });
    await Promise.all(names.map(listen));
    const found = (): string[] =>
      names.flatMap((from) => {
        const others = names.filter((to) => to !== from);
        const targets = others.flatMap((to) => ports.map((port) => [`${from} ${to}:${port}`, whereIs(to), port]));
        const words = JSON.stringify([patientMs(CONNECT_MS), ...targets]);
        const said = execFileSync(...on(from, process.execPath, '-e', CONNECTS, words), {
          timeout: patientMs(SHORT_MS),
          encoding: 'utf8',
        });
        return said.split('\n').filter(Boolean);
      });
    const withoutRules = found();
    for (const name of names) {
      const file = join(folder, `${name}.nft`);
      writeFileSync(file, ends[name]?.rules ?? '');
      execFileSync(...on(name, 'nft', '-f', file), { timeout: SHORT_MS });
    }
    process.stdout.write(JSON.stringify({ withoutRules, withRules: found() } satisfies Found));
  } finally {
    for (const listener of listeners) listener.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}
