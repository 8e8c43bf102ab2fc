/**
 * A request that is answered with an error, named: status, code, a sentence for a person, and the
 * fields that are wrong. Whatever else is thrown in this room is broken code and answers 500
 * without a word about itself.
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
  /** What the answer is about: members of its body beside the rest, such as `order_id`. */
  readonly about?: { readonly [member: string]: string | number | readonly string[] };
  /** Raw header names and values, one after the other. */
  readonly headers?: readonly string[];
  /** The body was not read to its end: the connection cannot be used again. */
  readonly unreadBody?: boolean;
  /** For the log; never told. */
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

/** @param problem what is wrong, as the rest of a sentence that begins with the field. */
export const invalidField = (field: string, problem: string): Failure =>
  invalid([{ field, message: `${field} ${problem}.` }]);

/** One that ISO 4217 does not know; a product that has it already keeps it. */
export const unknownCurrency = (field: string, code: string): Failure =>
  invalidField(field, `is ${code}, which is no currency of ISO 4217`);

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

/** @param mayBeDone what is told where somebody was asked, so that it may still come to be. */
export const unanswered = (
  { why, absent }: Pick<NoAnswer, 'why' | 'absent'>,
  mayBeDone: string,
  about: FailureDetails['about'] = {},
): Failure =>
  unavailable(absent ? `${why} Nothing was done: ask again later, or a node that serves.` : mayBeDone, about, why);

export const notFound = (message: string, code: ErrorCode = 'not_found'): Failure => new Failure(404, code, message);

/** The same no as before, to a repeat under its key. */
export const replayed = ({ status, code, message, details }: Failure): Failure =>
  new Failure(status, code, message, {
    ...details,
    headers: [...(details.headers ?? []), 'Idempotency-Replayed', 'true'],
  });

/** @param other what the key was used for. */
export const idempotencyMismatch = (other: string): Failure => {
  const message = `This Idempotency-Key was used for ${other} before: use a new key, or send the same request again.`;
  return new Failure(422, 'idempotency_mismatch', message, { errors: [{ field: 'Idempotency-Key', message }] });
};

/** A read model that does not answer is a 503: nothing is broken, and the client may ask again. */
export async function fromReadModel<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Unavailable && error.absent) throw error;
    throw unavailable('Lists and searches do not answer at the moment: try again.', {}, error);
  }
}
