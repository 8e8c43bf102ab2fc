// `holdfast forget-user`: asks a running node to erase a person's data, part by part, and says place by place what is left where.
//
// Law: it may be killed and started again at any moment. What is erased stays so, and the next run finds the rest.

import type { z } from 'zod';
import { limits } from '../../actors/limits.js';
import type { forgetReply } from '../../http/api/forget-schemas.js';
import type { Config } from '../config/config.js';
import { type Command, EXIT, type Given, type Terminal } from './command.js';
import { interrupted } from './place.js';
import { budgetIn, System, TIMEOUT_OPTION } from './system.js';

export const forgetCommand: Command = {
  name: 'forget-user',
  summary: "Erase a person's e-mail, addresses, notes, tracking ids and reasons from the user's orders",
  about: 'system',
  arguments: [{ name: 'USER', what: 'whose orders' }],
  options: [{ name: '--unshipped', what: 'also from confirmed orders that are not shipped' }, TIMEOUT_OPTION],
  notes: ['It ends with a table of what is left where. Started again after a kill, it finds the rest.'],
  examples: [{ line: 'forget-user grace', what: 'all her orders, part by part' }],
  exits: '0: all erased; 1: orders that are under way keep theirs, or refused; 3: it broke off, run it again',
  run: forgetUser,
};

const DAY_MS = 86_400_000;
/** So many ids are printed. */
const MOST_NAMED = 20;

interface Forgotten {
  orders: number;
  forgotten: number;
  readonly underWay: string[];
}

async function forgetUser(given: Given, terminal: Terminal): Promise<number> {
  const [user = ''] = given.arguments;
  const system = System.at(terminal, budgetIn(given), interrupted());
  const path = `/api/users/${encodeURIComponent(user)}/forget`;
  const unshipped = given.flag('--unshipped');
  const total: Forgotten = { orders: 0, forgotten: 0, underWay: [] };
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const body = { unshipped, ...(cursor !== undefined && { cursor }) };
    // What had no answer is asked again: what was done stays done.
    const { data } = (await system.ask({ method: 'POST', path, body })).body as z.output<typeof forgetReply>;
    total.orders += data.orders;
    total.forgotten += data.forgotten;
    total.underWay.push(...data.under_way);
    cursor = data.next_cursor;
    terminal.say(`${total.orders} orders looked at, ${total.forgotten} erased, ${total.underWay.length} under way`);
  }
  const { underWay: under_way, ...rest } = total;
  terminal.answer({ user_id: user, ...rest, under_way }, placesOf(total, terminal.config(), Date.now()));
  return under_way.length === 0 ? EXIT.done : EXIT.refused;
}

/** What is left where. */
export function placesOf(
  { orders, forgotten, underWay }: Forgotten,
  { eventsPersonal, eventsAgeMs, backup: { keepDays } }: Pick<Config, 'eventsPersonal' | 'eventsAgeMs' | 'backup'>,
  now: number,
): string[] {
  const named = underWay.slice(0, MOST_NAMED).join(' ');
  const more = underWay.length > MOST_NAMED ? ` and ${underWay.length - MOST_NAMED} more` : '';
  const gone = (ms: number) => new Date(now + ms).toISOString();
  const published = eventsPersonal ? 'e-mail, addresses, notes, tracking ids and reasons' : 'tracking ids and reasons';
  const places: readonly (readonly [string, string])[] = [
    ['orders', `${forgotten} of ${orders} erased now; the others had nothing, or are under way`],
    ...(underWay.length === 0 ? [] : [['under way', `${underWay.length} keep their data: ${named}${more}`] as const]),
    ['histories', 'erased with the orders'],
    ['word search', 'erased with the orders'],
    ['archived orders', 'keep it until you run: holdfast archive --forget USER'],
    ['cache', `answers nothing of it; Redis drops it by ${gone(limits.cacheTtlMs)}`],
    ['journal', `has it until its records are trimmed: about ${gone(limits.keepPublishedMs)}, while orders come in`],
    ['EVENTS', `has ${published} until ${gone(eventsAgeMs ?? limits.eventsAgeMs)} at the latest`],
    ['webhooks, Kafka', 'have what they were sent; the event order.forgotten tells them to erase it'],
    [
      'dumps, archives',
      `of before have it; the last one here goes by ${gone(keepDays * DAY_MS)}; off-site, by its own retention`,
    ],
    ['after a restore', 'of a dump of before, run this command again'],
  ];
  const width = Math.max(...places.map(([place]) => place.length));
  return places.map(([place, state]) => `${place.padEnd(width)}  ${state}`);
}
