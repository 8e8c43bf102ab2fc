// `holdfast dlq`: deliveries to webhooks that failed for good, which is all that Holdfast gives up. They are kept for a week, then they
// leave by themselves: there is nothing to discard. The feeds of Kafka and FEED give nothing up: they try without end.

import type { z } from 'zod';
import { limits } from '../../actors/limits.js';
import type { deliveryListReply, webhookListReply } from '../../http/api/webhook-schemas.js';
import { BadCommand, type CommandGroup, EXIT, type Given, type Terminal, wholeIn } from './command.js';
import { shown } from './order-lines.js';
import { interrupted } from './place.js';
import { budgetIn, NotReached, System, TIMEOUT_OPTION } from './system.js';
import { onOneLine } from './text-table.js';

const WEBHOOK_OPTION = { name: '--webhook', value: 'ID', what: 'of one webhook alone' } as const;
const DELIVERY = { name: 'ID', what: 'of a delivery, as `holdfast dlq list` shows it' } as const;
const NOTES = [
  'A delivery fails for good after eleven attempts in about a day. It is kept for seven days, and then leaves by itself.',
  'The later events of the same order or product are delivered meanwhile.',
  'Webhooks alone have dead letters: the feeds of Kafka and FEED give nothing up, and try without end.',
];

export const dlqCommands: CommandGroup = {
  name: 'dlq',
  summary: 'Look after deliveries to webhooks that failed for good',
  commands: [
    {
      name: 'list',
      summary: 'List the deliveries that failed for good, the newest first',
      about: 'system',
      options: [
        WEBHOOK_OPTION,
        { name: '--limit', value: 'N', what: 'of each webhook; 20 if it is left out' },
        TIMEOUT_OPTION,
      ],
      notes: NOTES,
      examples: [{ line: 'dlq list', what: 'of all webhooks' }],
      exits: '0: listed, also if there are none; 1: refused',
      run: list,
    },
    {
      name: 'show',
      summary: 'Show a delivery: the event, its attempts, and why the last one failed',
      about: 'system',
      arguments: [DELIVERY],
      options: [WEBHOOK_OPTION, TIMEOUT_OPTION],
      examples: [],
      exits: '0: shown; 1: no delivery with this id has failed for good',
      run: show,
    },
    {
      name: 'retry',
      summary: 'Send a delivery once more, or all of them',
      about: 'system',
      arguments: [{ ...DELIVERY, isOptional: true }],
      options: [WEBHOOK_OPTION, { name: '--all', what: 'all that failed for good' }, TIMEOUT_OPTION],
      notes: ['Its attempts begin anew, under the same webhook-id. Make sure first that the receiver is well.'],
      examples: [{ line: 'dlq retry --all', what: 'once the receiver is back' }],
      exits: '0: they wait to be sent; 1: no delivery with this id has failed for good',
      run: retry,
    },
  ],
};

type Webhook = z.output<typeof webhookListReply>['data'][number];
type Delivery = z.output<typeof deliveryListReply>['data'][number];
type Failed = Delivery & { readonly webhook_id: string; readonly url: string };

const LIST = 20;
const PAGE = 100;

async function list(given: Given, terminal: Terminal): Promise<number> {
  const limit = wholeIn('--limit', given.text('--limit') ?? String(LIST), 1, limits.webhookLog);
  const failed = await failedOnes(systemFor(given, terminal), given.text('--webhook'), limit);
  terminal.answer(failed, failed.length === 0 ? [] : tableOfFailed(failed, terminal));
  if (failed.length === 0) terminal.say('No delivery has failed for good.');
  return EXIT.done;
}

async function show(given: Given, terminal: Terminal): Promise<number> {
  const [id = ''] = given.arguments;
  const found = await find(systemFor(given, terminal), given.text('--webhook'), id);
  if (found === undefined) return missing(id, terminal);
  terminal.answer(
    found,
    Object.entries(found).map(([name, value]) => onOneLine(`${name}: ${value}`)),
  );
  return EXIT.done;
}

async function retry(given: Given, terminal: Terminal): Promise<number> {
  const [[id], isAll] = [given.arguments, given.flag('--all')];
  if ((id === undefined) === !isAll) throw new BadCommand('name one delivery, or say --all');
  const system = systemFor(given, terminal);
  const webhook = given.text('--webhook');
  const found = id === undefined ? undefined : await find(system, webhook, id);
  if (id !== undefined && found === undefined) return missing(id, terminal);
  const failed = found === undefined ? await failedOnes(system, webhook, limits.webhookLog) : [found];
  for (const { webhook_id, id: delivery } of failed) {
    const path = `/api/webhooks/${webhook_id}/deliveries/${encodeURIComponent(delivery)}/redeliver`;
    await system.ask({ method: 'POST', path, once: true }).catch((error: unknown) => {
      if (error instanceof NotReached)
        terminal.say(`Whether ${delivery} is sent once more is not known: if not, holdfast dlq list shows it.`);
      throw error;
    });
  }
  terminal.answer(
    { retried: failed.map(({ id: delivery }) => delivery) },
    `${failed.length} wait to be sent once more.`,
  );
  return EXIT.done;
}

// ---------------------------------------------------------------- machinery

const systemFor = (given: Given, terminal: Terminal): System => System.at(terminal, budgetIn(given), interrupted());

async function failedOnes(system: System, webhook: string | undefined, limit: number): Promise<Failed[]> {
  const one = webhook === undefined ? '' : `/${encodeURIComponent(webhook)}`;
  const { data } = (await system.ask({ path: `/api/webhooks${one}` })).body as { readonly data: Webhook | Webhook[] };
  const all: Failed[] = [];
  for (const { id, url } of [data].flat()) {
    const most = all.length + limit;
    let cursor: string | null = '';
    while (cursor !== null && all.length < most) {
      const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const path = `/api/webhooks/${id}/deliveries?state=failed&limit=${Math.min(PAGE, most - all.length)}${after}`;
      const page = (await system.ask({ path })).body as z.output<typeof deliveryListReply>;
      all.push(...page.data.map((delivery) => ({ ...delivery, webhook_id: id, url })));
      cursor = page.pagination.next_cursor;
    }
  }
  return all;
}

const find = async (system: System, webhook: string | undefined, id: string): Promise<Failed | undefined> =>
  (await failedOnes(system, webhook, limits.webhookLog)).find((delivery) => delivery.id === id);

function missing(id: string, terminal: Terminal): number {
  terminal.say(`No delivery ${id} has failed for good: holdfast dlq list shows them.`);
  return EXIT.refused;
}

const tableOfFailed = (failed: readonly Failed[], terminal: Terminal): string[] =>
  shown(
    ['ID', 'EVENT', 'TYPE', 'ATTEMPTS', 'STATUS', 'ENDED', 'WEBHOOK', 'ERROR'],
    failed.map(({ id, event_id, type, attempts, status, ended_at, webhook_id, error }) => [
      ...[id, event_id, type, String(attempts), status === undefined ? '-' : String(status)],
      ...[ended_at ?? '-', webhook_id, error ?? '-'],
    ]),
    terminal,
  );
