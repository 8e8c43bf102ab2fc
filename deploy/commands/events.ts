// `holdfast events`: the public events of EVENTS as lines, for people or as JSON. It ends at the end of the stream, or follows it.

import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { typeBeginnings, unknownType } from '../../actors/events/type-filters.js';
import { EventReader } from '../../bus/events/event-reader.js';
import { EVENTS_STREAM } from '../../bus/events/jetstream-events.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { systemClock } from '../../bus/system-clock.js';
import type { Config } from '../config/config.js';
import { BadCommand } from './keys.js';
import { look, quiet, say } from './place.js';

export const EVENTS_USAGE = `  holdfast events [--order ID] [--product ID] [--type T] [--since T] [--follow] [--json]
                          print the public events that the broker has, oldest first; --since takes a time such as
                          2026-11-29T18:00:00Z, or 30s, 10m, 2h, 3d; --type takes order.confirmed, or order for all of its kind;
                          --follow goes on with what comes, and without --since begins now
                          exit 0: printed to the end, or until SIGINT; 2: could not look`;

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
const EXIT_PRINTED = 0;
const EXIT_COULD_NOT_LOOK = 2;
const MARGIN_MS = 60_000;
const END_EVERY_MS = 50;

export function readEventsCommand(words: readonly string[], now: number): EventsCommand {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = { order: text, product: text, type: text, since: text, follow: flag, json: flag };
  try {
    const { order, product, type, since, follow, json } = parseArgs({ args: [...words], options }).values;
    const problem = type === undefined ? undefined : unknownType(type, typeBeginnings);
    if (problem !== undefined) throw new BadCommand(`--type ${problem}`);
    return { order, product, type, sinceMs: since === undefined ? undefined : timeIn(since, now), follow, json };
  } catch (error) {
    if (error instanceof BadCommand) throw error;
    throw new BadCommand(error instanceof Error ? error.message : String(error));
  }
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

export async function printEvents(config: Config, asked: EventsCommand): Promise<number> {
  return look(config, async (client, { nats: broker }) => {
    await client.end();
    if (broker === undefined) {
      say('This system runs without NATS: it has no public events.');
      return EXIT_COULD_NOT_LOOK;
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

async function printAll(nats: Nats, asked: EventsCommand): Promise<number> {
  const info = await streamInfo(nats, EVENTS_STREAM);
  if (info === undefined && !asked.follow) return EXIT_PRINTED;
  const { follow, sinceMs } = asked;
  const isOver = info === undefined || info.state.messages === 0 || Date.parse(info.state.last_ts) < (sinceMs ?? 0);
  if (!follow && isOver) return EXIT_PRINTED;
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
  return EXIT_PRINTED;
}

const drained = (signal: AbortSignal): Promise<unknown> => once(process.stdout, 'drain', { signal }).catch(() => {});
