// `holdfast place`: places one order, once. Whatever the network does, every attempt carries the same Idempotency-Key.

import { randomUUID } from 'node:crypto';
import { BadCommand, type Command, EXIT, type Given, type Terminal } from './command.js';
import { type Order, orderLines } from './order-lines.js';
import { interrupted } from './place.js';
import { budgetIn, Interrupted, keyIn, NotReached, System, TIMEOUT_OPTION } from './system.js';

export const placeCommand: Command = {
  name: 'place',
  summary: 'Place an order, and wait for its outcome',
  about: 'system',
  arguments: [{ name: 'PRODUCT[=QUANTITY]', what: 'what is ordered; one piece if no quantity is given', isList: true }],
  options: [
    { name: '--user', value: 'U', what: 'whose order it is' },
    { name: '--email', value: 'E', what: "the user's e-mail address" },
    { name: '--currency', value: 'CUR', what: 'such as USD; the currency of the products if it is left out' },
    { name: '--notes', value: 'TEXT', what: 'a note for the shop' },
    { name: '--key', value: 'KEY', what: 'its Idempotency-Key; drawn if it is left out' },
    { name: '--async', what: 'return once it is durable, without its outcome' },
    TIMEOUT_OPTION,
  ],
  notes: [
    'Every attempt has the same Idempotency-Key: it is one order, however often it must be sent.',
    'If there is no answer, the key is printed. The same command with --key finds out what became of it.',
  ],
  examples: [
    { line: 'place --user ada --key first-order PROD-001=2 PROD-004', what: 'two consoles and a headset' },
    { line: 'place --user bob PROD-003 --json', what: 'the order as JSON' },
    { line: 'place --user eve PROD-005 --async', what: 'its outcome comes later: holdfast order' },
  ],
  exits: '0: confirmed, or still pending at the end of --timeout or with --async; 1: refused or failed; 3: not known',
  run: (given, terminal) => placeOrder(given, terminal),
};

const POLL_MS = 500;
/** What the network and a loaded system may add to the time that they are asked to wait. */
const ANSWER_S = 2;

async function placeOrder(given: Given, terminal: Terminal): Promise<number> {
  const user = given.text('--user');
  if (user === undefined) throw new BadCommand('--user says whose order it is');
  const key = keyIn(given.text('--key')) ?? randomUUID();
  const budgetMs = budgetIn(given);
  const items = given.arguments.map(lineIn);
  const body = {
    ...{ user_id: user, items },
    ...optional('user_email', given.text('--email')),
    ...optional('currency', given.text('--currency')),
    ...optional('notes', given.text('--notes')),
  };
  const until = performance.now() + budgetMs;
  const system = System.at(terminal, budgetMs, interrupted());
  const isAsync = given.flag('--async');
  const headers = { 'idempotency-key': key, prefer: isAsync ? 'respond-async' : preferenceFor(budgetMs) };
  const placed = await place(system, body, headers).catch((error: unknown) => {
    if (error instanceof NotReached || error instanceof Interrupted)
      terminal.say(
        `Whether it was placed is not known. The same command with --key ${key} finds out, and orders nothing twice.`,
      );
    throw error;
  });
  const { order, lost } = isAsync ? { order: placed } : await followed(system, placed, until);
  terminal.answer(order, orderLines(order, terminal));
  if (lost !== undefined) terminal.say(`Its outcome could not be read: ${lost.message}`);
  if (order.status === 'pending') terminal.say(`It is safe, and has no outcome yet: holdfast order ${order.order_id}`);
  if (lost instanceof Interrupted) throw lost;
  return order.status === 'failed' || order.status === 'cancelled' ? EXIT.refused : EXIT.done;
}

/** The answer must come before the budget ends. */
const preferenceFor = (budgetMs: number): string => {
  const seconds = Math.min(60, budgetMs / 1_000 - ANSWER_S);
  return seconds < 1 ? 'respond-async' : `wait=${seconds}`;
};

async function place(system: System, body: object, headers: Readonly<Record<string, string>>): Promise<Order> {
  const reply = await system.ask({ method: 'POST', path: '/api/orders', body, headers });
  return (reply.body as { readonly data: Order }).data;
}

/** The order is placed, so no failure of a look is the command's: the key may place orders and read none. */
async function followed(system: System, placed: Order, until: number) {
  let order = placed;
  try {
    while (order.status === 'pending' && performance.now() + POLL_MS < until) {
      await system.sleep(POLL_MS);
      const { body } = await system.ask({ path: `/api/orders/${encodeURIComponent(order.order_id)}` });
      order = (body as { readonly data: Order }).data;
    }
  } catch (error) {
    return { order, lost: error as Error };
  }
  return { order };
}

/** The last `=` with digits behind it separates the quantity: an id may have one too. */
function lineIn(text: string) {
  const [, product_id = text, quantity = '1'] = /^(.+)=(\d{1,7})$/.exec(text) ?? [];
  return { product_id, quantity: Number(quantity) };
}

const optional = (name: string, value: string | undefined) => (value === undefined ? {} : { [name]: value });
