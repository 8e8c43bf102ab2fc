// `holdfast events`: the public events of EVENTS as lines, for people or as JSON. It ends at the end of the stream, or follows it.

import { once } from 'node:events';
import { typeBeginnings, unknownType } from '../../actors/events/type-filters.js';
import { EventReader } from '../../bus/events/event-reader.js';
import { EVENTS_STREAM } from '../../bus/events/jetstream-events.js';
import { underAny } from '../../bus/joined-signal.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { systemClock } from '../../bus/system-clock.js';
import type { Config } from '../config/config.js';
import { BadCommand, type Command, EXIT, type Given, type Terminal } from './command.js';
import { liveEvents } from './live-events.js';
import { interrupted, look, quiet, say } from './place.js';
import { givenAddress, System } from './system.js';

export const eventsCommand: Command = {
  name: 'events',
  summary: 'Print public events, oldest first, or follow them',
  about: 'either',
  options: [
    { name: '--order', value: 'ID', what: 'those of an order, and of products where they name it' },
    { name: '--product', value: 'ID', what: 'those of a product, and of orders that name it' },
    { name: '--type', value: 'T', what: 'order.confirmed, or order for all of its kind' },
    { name: '--since', value: 'T', what: 'a time such as 2026-11-29T18:00:00Z, or 30s, 10m, 2h, 3d' },
    { name: '--follow', what: 'go on with what comes; without --since begin now' },
  ],
  notes: [
    'The servers have the past: EVENTS on the broker. A system at HOLDFAST_URL tells events as they come: it needs --follow.',
    'Without NATS there are no public events.',
  ],
  examples: [
    { line: 'events --order ORD-4PE9TG5Y4ATA7R877CD86BWVCS', what: 'what happened to an order' },
    { line: 'events --type order.confirmed --since 10m --json', what: 'a JSON event a line, for jq' },
  ],
  exits: '0: printed to the end, or until SIGINT; 1: refused; 2: could not look; 3: no answer at HOLDFAST_URL',
  run: async (given, terminal) => {
    const asked = readEvents(given, terminal.isJson, terminal.now());
    const isElsewhere = givenAddress(terminal.env.HOLDFAST_URL) !== undefined;
    return isElsewhere ? followSystem(terminal, asked) : printEvents(terminal.config(), asked);
  },
};

export interface EventsCommand {
  readonly order: string | undefined;
  readonly product: string | undefined;
  readonly type: string | undefined;
  readonly sinceMs: number | undefined;
  readonly follow: boolean;
  readonly json: boolean;
}

interface PublicEvent {
  readonly id: string;
  readonly type: string;
  readonly subject?: string;
  readonly time?: string;
  readonly data?: unknown;
}

const MS_OF: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MARGIN_MS = 60_000;
const END_EVERY_MS = 50;
/** How long a system may be away. */
const SYSTEM_MS = 60_000;

/** @throws BadCommand */
export function readEvents(given: Given, json: boolean, now: number): EventsCommand {
  const [type, since] = [given.text('--type'), given.text('--since')];
  const problem = type === undefined ? undefined : unknownType(type, typeBeginnings);
  if (problem !== undefined) throw new BadCommand(`--type ${problem}`);
  const sinceMs = since === undefined ? undefined : timeIn(since, now);
  const follow = given.flag('--follow');
  return { order: given.text('--order'), product: given.text('--product'), type, sinceMs, follow, json };
}

/** Whether the event is asked for. An event of an order may name a product in its data, and the other way round. */
export function isAskedFor({ type, subject, data }: PublicEvent, asked: EventsCommand): boolean {
  if (asked.type !== undefined && !`${type}.`.startsWith(`${asked.type}.`)) return false;
  const names = (kind: string, id: string): boolean =>
    (type.startsWith(`${kind === 'order_id' ? 'order' : 'inventory'}.`) && subject === id) ||
    JSON.stringify(data ?? null).includes(`"${kind}":${JSON.stringify(id)}`);
  if (asked.order !== undefined && !names('order_id', asked.order)) return false;
  return asked.product === undefined || names('product_id', asked.product);
}

/** Time, type without version, whose event it is, and what its data says beside that. */
export function lineOf({ type, subject = '-', time = '-', data }: PublicEvent): string {
  const facts = Object.entries((data ?? {}) as Record<string, unknown>)
    .filter(([, value]) => value !== subject)
    .map(
      ([name, value]) => `${name}=${typeof value === 'string' && /^\S+$/.test(value) ? value : JSON.stringify(value)}`,
    );
  return [time, type.replace(/\.v\d+$/, ''), subject, ...facts].join('  ');
}

async function printEvents(config: Config, asked: EventsCommand): Promise<number> {
  return look(config, async (client, { nats: broker }) => {
    await client.end();
    if (broker === undefined) {
      say('This system runs without NATS: it has no public events.');
      return EXIT.notUnderstood;
    }
    const nats = await connectNats(broker.url, { name: 'holdfast events', log: quiet });
    try {
      return await printAll(nats, asked);
    } finally {
      await nats.close();
    }
  });
}

// ---------------------------------------------------------------- machinery

function timeIn(text: string, now: number): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const isTime = /^\d{4}-\d\d-\d\d/.test(text);
  const ms = count === undefined ? (isTime ? Date.parse(text) : Number.NaN) : now - Number(count) * (MS_OF[unit] ?? 0);
  if (Number.isFinite(ms)) return ms;
  throw new BadCommand(`--since takes a time such as 2026-11-29T18:00:00Z, or 30s, 10m, 2h, 3d, not "${text}"`);
}

async function followSystem(terminal: Terminal, asked: EventsCommand): Promise<number> {
  if (!asked.follow || asked.sinceMs !== undefined)
    throw new BadCommand('HOLDFAST_URL tells events as they come: say --follow, without --since');
  const query = new URLSearchParams();
  if (asked.type !== undefined) query.set('type', asked.type);
  if (asked.product !== undefined) query.set('product_id', asked.product);
  const over = new AbortController();
  process.stdout.once('error', () => over.abort()); // Whoever read it has gone, as head does.
  return underAny([over.signal, interrupted()], async (signal) => {
    const system = System.at(terminal, SYSTEM_MS, signal);
    for await (const text of liveEvents(system, `/api/events?${query}`, signal, terminal.say)) {
      const event = JSON.parse(text) as PublicEvent;
      if (!isAskedFor(event, asked)) continue;
      if (!process.stdout.write(`${asked.json ? text : lineOf(event)}\n`)) await drained(signal);
    }
    return EXIT.done;
  });
}

async function printAll(nats: Nats, asked: EventsCommand): Promise<number> {
  const info = await streamInfo(nats, EVENTS_STREAM);
  if (info === undefined && !asked.follow) return EXIT.done;
  const { follow, sinceMs } = asked;
  const isOver = info === undefined || info.state.messages === 0 || Date.parse(info.state.last_ts) < (sinceMs ?? 0);
  if (!follow && isOver) return EXIT.done;
  const over = new AbortController();
  const end = () => over.abort();
  const reader = new EventReader({
    ...{ nats, clock: systemClock(), logger: quiet, marginMs: MARGIN_MS, signal: over.signal },
    from: sinceMs !== undefined ? { sinceMs } : follow ? 'new' : 'start',
    onGap: say,
  });
  const last = info?.state.last_seq ?? 0;
  const atEnd = setInterval(() => {
    if (!follow && reader.cursor.seq >= last) end();
  }, END_EVERY_MS);
  process.stdout.once('error', end); // Whoever read it has gone, as head does.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  try {
    for await (const page of reader.pages()) {
      const events = page.flatMap(({ text }) => JSON.parse(text) as PublicEvent[]);
      const lines = events.filter((event) => isAskedFor(event, asked));
      const text = lines.map((event) => `${asked.json ? JSON.stringify(event) : lineOf(event)}\n`).join('');
      if (text !== '' && !over.signal.aborted && !process.stdout.write(text)) await drained(over.signal);
      if (!follow && reader.cursor.seq >= last) end();
    }
  } finally {
    clearInterval(atEnd);
  }
  return EXIT.done;
}

const drained = (signal: AbortSignal): Promise<unknown> => once(process.stdout, 'drain', { signal }).catch(() => {});
