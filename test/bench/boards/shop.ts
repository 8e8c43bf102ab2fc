// The shop on the boards, as a client and an operator see it.

import { until } from '../../deadlines.js';
import { type Boards, NODES } from './boards.js';

const STOCK = 1_000_000;
const AT_ONCE = 100;
const ASK_MS = 5_000;
const STOCKED_MS = 30_000;

/** Whether all nodes are ready and own what they should: no partition is on its way. */
export async function isAtRest(boards: Boards): Promise<boolean> {
  if (!(await Promise.all(NODES.map((node) => boards.isReady(node)))).every(Boolean)) return false;
  try {
    const asked = { headers: boards.credential, signal: AbortSignal.timeout(ASK_MS) };
    const reply = await fetch(`${boards.url(NODES[0])}/internal/placement`, asked);
    const { data = [] } = (await reply.json()) as {
      data?: readonly { readonly name: string; readonly state: string }[];
    };
    const shares = NODES.map((node) => data.filter(({ name, state }) => name === node && state === 'running').length);
    return (
      shares.reduce((sum, share) => sum + share, 0) === data.length && Math.max(...shares) - Math.min(...shares) <= 1
    );
  } catch {
    return false;
  }
}

/** Puts a million pieces of each product in stock. @throws Error with the last answer */
export async function stock(boards: Boards, products: readonly string[]): Promise<void> {
  const rows = products.map((id) => ({ product_id: id, name: id, unit_price: 1, currency: 'USD', stock: STOCK }));
  for (let i = 0; i < rows.length; i += AT_ONCE) {
    const body = JSON.stringify({ products: rows.slice(i, i + AT_ONCE) });
    const headers = { ...boards.credential, 'content-type': 'application/json', 'idempotency-key': `stock-${i}` };
    let said = '';
    const isTaken = async () => {
      const sent = { method: 'POST', headers, body, signal: AbortSignal.timeout(STOCKED_MS) };
      const reply = await fetch(`${boards.url(NODES[0])}/api/inventory`, sent);
      said = `${reply.status} ${await reply.text()}`;
      return reply.ok;
    };
    if (!(await until(isTaken, STOCKED_MS, 500))) throw new Error(`the products were not taken: ${said}`);
  }
}
