// `holdfast stock`: what there is of each product.

import { type Command, EXIT, type Given, type Terminal, wholeIn } from './command.js';
import { type Product, type ProductPage, productTable } from './order-lines.js';
import { interrupted } from './place.js';
import { budgetIn, System, TIMEOUT_OPTION } from './system.js';

export const stockCommand: Command = {
  name: 'stock',
  summary: 'Show the stock of products',
  about: 'system',
  arguments: [{ name: 'PRODUCT', what: 'these alone; all if none is named', isOptional: true, isList: true }],
  options: [{ name: '--low', value: 'N', what: 'those of which N or fewer are available' }, TIMEOUT_OPTION],
  notes: ['AVAILABLE is what a new order can have at once: on hand, less held, less backordered.'],
  examples: [
    { line: 'stock PROD-001', what: 'one product' },
    { line: 'stock --low 60', what: 'what runs out' },
  ],
  exits: '0: shown; 1: there is no such product',
  run: showStock,
};

const PAGE = 100;
/** A list for people ends somewhere: more products than that are read with the API. */
const MOST_PAGES = 100;
const MOST_AVAILABLE = 999_999_999;

async function showStock(given: Given, terminal: Terminal): Promise<number> {
  const low = wholeIn('--low', given.text('--low') ?? String(MOST_AVAILABLE), 0, MOST_AVAILABLE);
  const isLow = ({ available }: Product) => given.text('--low') === undefined || available <= low;
  const system = System.at(terminal, budgetIn(given), interrupted());
  const found: Product[] = [];
  for (const id of given.arguments) {
    const { body } = await system.ask({ path: `/api/inventory/${encodeURIComponent(id)}` });
    found.push((body as { readonly data: Product }).data);
  }
  if (given.arguments.length === 0) {
    const { products, isWhole } = await allProducts(system, MOST_PAGES);
    found.push(...products);
    if (!isWhole) terminal.say(`These are the first ${products.length} products: name those that you want.`);
  }
  const listed = found.filter(isLow);
  terminal.answer(listed, listed.length === 0 ? [] : productTable(listed, terminal));
  if (listed.length === 0) terminal.say('There are no such products.');
  return EXIT.done;
}

/** In the order of their ids. */
export async function allProducts(
  system: Pick<System, 'ask'>,
  mostPages: number,
): Promise<{ readonly products: Product[]; readonly isWhole: boolean }> {
  const products: Product[] = [];
  let cursor = '';
  for (let page = 0; page < mostPages; page++) {
    const { body } = await system.ask({ path: `/api/inventory?limit=${PAGE}${cursor}` });
    const { data, pagination } = body as ProductPage;
    products.push(...data);
    const next = 'next_cursor' in pagination ? pagination.next_cursor : null;
    if (next === null) return { products, isWhole: true };
    cursor = `&cursor=${encodeURIComponent(next)}`;
  }
  return { products, isWhole: false };
}
