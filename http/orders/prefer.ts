/** Reads from the Prefer header (RFC 7240) how long a client wants to wait for an outcome. */
import { limits } from '../../actors/limits.js';
import type { ApiRequest } from '../api/api-request.js';
import { elementsOf } from '../wire/field-list.js';

const WAIT = /^wait\s*=\s*"?(\d+)"?\s*(;.*)?$/i;
/** An empty value counts as no value. */
const RESPOND_ASYNC = /^respond-async\s*(=\s*("")?\s*)?(;.*)?$/i;

interface Preference {
  readonly waitMs: number | undefined;
  /** The order is answered as soon as it is durable, even without an outcome. */
  readonly impatient: boolean;
  /** The header that says which preference was applied. */
  readonly applied: readonly string[];
}

/** Unknown preferences are ignored, as the RFC requires. Of two, the first counts. */
export function preferenceOf({ req }: ApiRequest): Preference | undefined {
  const header = req.headers.prefer;
  if (header === undefined) return undefined;
  const given = elementsOf(String(header));
  const wait = given.map((each) => WAIT.exec(each)?.[1]).find((seconds) => seconds);
  const isAsync = wait === undefined && given.some((each) => RESPOND_ASYNC.test(each));
  if (isAsync) return { waitMs: undefined, impatient: true, applied: ['Preference-Applied', 'respond-async'] };
  // Even a client that does not wait for the outcome is answered only after the order is durable.
  if (Number(wait) === 0) return { waitMs: undefined, impatient: true, applied: ['Preference-Applied', 'wait=0'] };
  if (wait === undefined) return undefined;
  const waitMs = Math.min(Number(wait) * 1_000, limits.preferredWaitMs);
  return { waitMs, impatient: false, applied: ['Preference-Applied', `wait=${waitMs / 1_000}`] };
}
