/** How long a client wants to wait for an outcome: the Prefer header (RFC 7240). */
import { limits } from '../../actors/limits.js';
import type { ApiRequest } from '../api/api-request.js';
import { elementsOf } from '../wire/field-list.js';

const WAIT = /^wait\s*=\s*"?(\d+)"?\s*(;.*)?$/i;
/** An empty value is none. */
const RESPOND_ASYNC = /^respond-async\s*(=\s*("")?\s*)?(;.*)?$/i;

interface Preference {
  readonly waitMs: number | undefined;
  /** Answered as soon as it is durable, decided or not. */
  readonly impatient: boolean;
  /** The header that says what was heeded. */
  readonly applied: readonly string[];
}

/** What is not understood is ignored, as the RFC has it; the first of two wins. */
export function preferenceOf({ req }: ApiRequest): Preference | undefined {
  const header = req.headers.prefer;
  if (header === undefined) return undefined;
  const given = elementsOf(String(header));
  const wait = given.map((each) => WAIT.exec(each)?.[1]).find((seconds) => seconds);
  const isAsync = wait === undefined && given.some((each) => RESPOND_ASYNC.test(each));
  if (isAsync) return { waitMs: undefined, impatient: true, applied: ['Preference-Applied', 'respond-async'] };
  // Not to wait for the outcome is not to be told before it is durable.
  if (Number(wait) === 0) return { waitMs: undefined, impatient: true, applied: ['Preference-Applied', 'wait=0'] };
  if (wait === undefined) return undefined;
  const waitMs = Math.min(Number(wait) * 1_000, limits.preferredWaitMs);
  return { waitMs, impatient: false, applied: ['Preference-Applied', `wait=${waitMs / 1_000}`] };
}
