/**
 * A Failure is thrown to answer a request with an error: status, code, a sentence for a person, and the wrong fields.
 * Anything else that is thrown in `http/` is a bug. It answers 500 and reveals nothing about itself.
 */
import { limits } from '../../actors/limits.js';
import type { NoAnswer } from '../../actors/ports/owners.js';
import { Unavailable } from '../../actors/unavailable.js';
import type { ErrorCode } from './errors.js';

export interface FieldError {
  /** As the client wrote it: `items[0].quantity`; `body` when the body as a whole is wrong. */
  readonly field: string;
  readonly message: string;
}

interface FailureDetails {
  readonly errors?: readonly FieldError[];
  /** Further members of the body, such as `order_id`. */
  readonly about?: { readonly [member: string]: string | number | readonly string[] };
  /** Raw header names and values, one after the other. */
  readonly headers?: readonly string[];
  /** The body was not read to its end, so the connection cannot be reused. */
  readonly unreadBody?: boolean;
  /** For the log. Clients never see it. */
  readonly cause?: unknown;
}

export class Failure extends Error {
  override name = 'Failure';
  constructor(
    readonly status: number,
    readonly code: ErrorCode,
    message: string,
    readonly details: FailureDetails = {},
  ) {
    super(message, { cause: details.cause });
  }
}

export function invalid(errors: readonly FieldError[]): Failure {
  const named = errors.slice(0, limits.namedFields);
  const more = errors.length > named.length ? ` (and ${errors.length - named.length} more)` : '';
  return new Failure(400, 'invalid', `${named[0]?.message ?? 'The request is not valid.'}${more}`, { errors: named });
}

/** @param problem the rest of a sentence that begins with the field's name. */
export const invalidField = (field: string, problem: string): Failure =>
  invalid([{ field, message: `${field} ${problem}.` }]);

/** The currency is not in ISO 4217. A product that already has such a currency keeps it. */
export const unknownCurrency = (field: string, code: string): Failure =>
  invalidField(field, `is ${code}, which is not a currency of ISO 4217`);

/** @param what the body has too many of. */
export const tooLarge = (most: number, what = 'bytes'): Failure => {
  const has = `has more than ${most.toLocaleString('en-US')} ${what}`;
  return new Failure(413, 'too_large', `The body ${has}: send it in parts.`, {
    errors: [{ field: 'body', message: `body ${has}.` }],
    unreadBody: true,
  });
};

const RETRY_AFTER = ['Retry-After', '1'] as const;

export const unavailable = (message: string, about: FailureDetails['about'] = {}, cause?: unknown): Failure =>
  new Failure(503, 'unavailable', message, { headers: RETRY_AFTER, about, cause });

/** @param mayBeDone the message if an owner got the request, so that it may still take effect. */
export const unanswered = (
  { why, absent, told }: Pick<NoAnswer, 'why' | 'absent' | 'told'>,
  mayBeDone: string,
  about: FailureDetails['about'] = {},
): Failure =>
  unavailable(
    told
      ? `${why} Nothing was done: try again later.`
      : absent
        ? `${why} Nothing was done: try again later, or at another node.`
        : mayBeDone,
    about,
    why,
  );

export const notFound = (message: string, code: ErrorCode = 'not_found'): Failure => new Failure(404, code, message);

/** The order was removed with its archive. */
export const goneOrder = (order: string): Failure =>
  new Failure(410, 'gone', `The order ${order} was archived, and its archive was removed when its time was over.`, {
    about: { order_id: order },
  });

/** The first refusal again, for a repeat under the same key. */
export const replayed = ({ status, code, message, details }: Failure): Failure =>
  new Failure(status, code, message, {
    ...details,
    headers: [...(details.headers ?? []), 'Idempotency-Replayed', 'true'],
  });

/** @param other the earlier use of the key. */
export const idempotencyMismatch = (other: string): Failure => {
  const message = `This Idempotency-Key was used for ${other} before: use a new key, or send the same request again.`;
  return new Failure(422, 'idempotency_mismatch', message, { errors: [{ field: 'Idempotency-Key', message }] });
};

/** A read model that does not answer leads to 503, not 500: it is no bug, and the client can retry. */
export async function fromReadModel<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    if (error instanceof Unavailable && (error.absent || error.told)) throw error;
    throw unavailable('Lists and searches do not answer at the moment: try again.', {}, error);
  }
}
