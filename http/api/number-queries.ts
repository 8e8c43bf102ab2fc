/** The query parameters of the numbers for people and of the export. */
import { z } from 'zod';
import { limits } from '../../actors/limits.js';
import type { StatsFilter } from '../../actors/ports/numbers.js';
import { invalidField } from './failure.js';
import { orderFiltersQuery } from './list-queries.js';
import { currency, idText, ruled, wholeTextOr, word } from './schemas.js';

const DAY = /^\d{4}-\d\d-\d\d$/;

const day = (description: string) =>
  ruled<string>('must be a day such as 2026-11-21', (value) => typeof value === 'string' && isDay(value), {
    type: 'string',
    format: 'date',
    description,
  }).optional();

export const statsQuery = z.object({
  by: word('StatsGroup', ['day', 'product', 'total']).optional().meta({
    description: 'One row for each day, product or currency. `day` if it is left out.',
  }),
  product_id: idText.optional(),
  currency: currency.optional(),
  from: day('Counts orders that were placed on this day (UTC) or later.'),
  to: day('Counts orders that were placed before this day (UTC).'),
  limit: wholeTextOr(limits.statsRowsDefault, limits.statsRows, 'How many rows the answer has at most.'),
});
export type StatsQuery = z.output<typeof statsQuery>;

export const alsoBoughtQuery = z.object({
  limit: wholeTextOr(limits.pageSizeDefault, limits.pageSize, 'How many products the answer has at most.'),
});

export const exportQuery = orderFiltersQuery.extend({
  format: word('ExportFormat', ['csv', 'ndjson']).optional().meta({ description: 'It wins over `Accept`.' }),
  after: idText.optional().meta({
    description:
      'The `order_id` of the last whole row that you have. The export goes on behind it. Keep the same filters.',
  }),
});
export type ExportQuery = z.output<typeof exportQuery>;

/** @throws Failure if the days contradict each other. */
export function statsFilter({ by = 'day', product_id, currency, from, to }: StatsQuery): StatsFilter {
  if (from !== undefined && to !== undefined && from > to) throw invalidField('from', 'must not be later than to');
  return {
    by,
    ...(product_id !== undefined && { product: product_id }),
    ...(currency !== undefined && { currency }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  };
}

/** In Postgres no year is 0. */
function isDay(text: string): boolean {
  const ms = DAY.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && text >= '0001' && new Date(ms).toISOString().startsWith(text);
}
