/** Numbers for people over HTTP. Amounts are printed from whole minor units, never through doubles. */
import { productId, userId } from '../../actors/ids.js';
import { sumText } from '../../actors/money.js';
import type { Numbers, StatsRow } from '../../actors/ports/numbers.js';
import { sees } from '../../actors/principal.js';
import type { ApiRequest } from '../api/api-request.js';
import { fromReadModel, notFound, unavailable } from '../api/failure.js';
import { type StatsQuery, statsFilter } from '../api/number-queries.js';
import { type Answer, success } from '../api/reply.js';
import { isoTime } from './order-view.js';

const quote = JSON.stringify;

export class OrderNumbers {
  constructor(private readonly queries: Numbers) {}

  stats = async (query: StatsQuery): Promise<Answer> => {
    const filter = statsFilter(query);
    const { rows, more } = await this.queries.stats(filter, query.limit).catch((error: unknown) => {
      throw unavailable('The numbers could not be added up in time: ask for fewer days, or try again.', {}, error);
    });
    return { status: 200, body: `{"status":"success","data":[${rows.map(rowJson).join(',')}],"more":${more}}` };
  };

  /** To a customer, other users do not exist. A user without orders has an empty summary, as its list is empty. */
  userSummary = async ({ principal }: ApiRequest, user: string): Promise<Answer> => {
    if (!sees(principal, userId(user))) throw notFound(`There is no user ${user}.`);
    const summary = await fromReadModel(() => this.queries.userSummary(user));
    if (summary === undefined) return success(200, `{"user_id":${quote(user)},"orders":0,"statuses":{},"totals":[]}`);
    const { orders, more, statuses, totals, first, last } = summary;
    const shown = totals.map(
      ({ currency, orders, total }) =>
        `{"currency":${quote(currency)},"orders":${orders},"total_amount":${sumText(total, currency)}}`,
    );
    const place = ({ id, at }: typeof first) => quote({ order_id: id, created_at: isoTime(at) });
    const partial = more ? ',"is_partial":true' : '';
    return success(
      200,
      `{"user_id":${quote(user)},"orders":${orders}${partial},"statuses":${quote(statuses)},"totals":[${shown.join(',')}],"first_order":${place(first)},"last_order":${place(last)}}`,
    );
  };

  /** How much others sell is for services alone. */
  alsoBought = async ({ principal }: ApiRequest, product: string, limit: number): Promise<Answer> => {
    const { products } = await fromReadModel(() => this.queries.alsoBought(productId(product), limit));
    const isService = principal.userId === undefined;
    const shown = products.map(({ product: product_id, name, orders }) =>
      quote({ product_id, ...(name !== undefined && { name }), ...(isService && { orders }) }),
    );
    return success(200, `[${shown.join(',')}]`);
  };
}

function rowJson({ day, product, currency, orders, units, revenue, statuses, rejections }: StatsRow): string {
  const head = quote({
    ...(day !== undefined && { day }),
    ...(product !== undefined && { product_id: product }),
    ...(currency !== undefined && { currency }),
    ...{ orders, units },
  });
  return `${head.slice(0, -1)},"revenue":${sumText(revenue, currency ?? '')},"statuses":${quote(statuses)},"rejections":${quote(rejections)}}`;
}
