/** Turns an owner's answer to a stock write into the answer for the client. */
import type { NoAnswer } from '../../actors/ports/owners.js';
import type { ProductRefusal } from '../../actors/protocol.js';
import type { ErrorCode } from '../api/errors.js';
import { Failure, type FieldError, idempotencyMismatch, notFound, unanswered, unavailable } from '../api/failure.js';
import type { Write } from '../api/write-id.js';

export const stockUnavailable = (reply: NoAnswer, { key }: Write): Failure =>
  unanswered(
    reply,
    'The change of the stock could not be made durable in time. It may still take effect: send the same request again with the idempotency_key of this answer as its Idempotency-Key. Nothing is changed twice.',
    { idempotency_key: key },
  );

/** The failure of a receipt when only some of its products are known to be received. */
export const receiptUnavailable = ({ why }: NoAnswer, { key }: Write, done: readonly string[]): Failure =>
  unavailable(
    'Not every product could be received durably in time: done names the received ones. Send the same request again with the idempotency_key of this answer as its Idempotency-Key to complete it. Nothing is added twice.',
    { idempotency_key: key, done },
    why,
  );

export function refusalOf(refusal: ProductRefusal | 'too_large' | 'broken', product: string, field: string): Failure {
  const conflict = (status: number, code: ErrorCode, message: string) => {
    const errors: FieldError[] = [{ field, message }];
    return new Failure(status, code, message, { errors });
  };
  switch (refusal) {
    case 'unknown_product':
      return unknownProduct(product);
    case 'currency_fixed':
      return conflict(409, 'currency_fixed', `${field}: the currency of ${product} never changes.`);
    case 'below_held':
      return conflict(409, 'below_held', `${field}: the stock of ${product} would fall below what orders hold of it.`);
    case 'too_much_stock':
      return conflict(409, 'too_much_stock', `${field}: ${product} would have more stock than can be counted.`);
    case 'other_body':
      return idempotencyMismatch('another request');
    case 'too_large':
      return conflict(413, 'too_large', 'The request is too large to be stored: send it in parts.');
    case 'broken':
      return new Failure(
        500,
        'internal',
        'Something is broken on our side; it has been logged under the X-Request-ID.',
      );
  }
}

export const unknownProduct = (product: string): Failure =>
  notFound(`There is no product ${product}.`, 'unknown_product');
