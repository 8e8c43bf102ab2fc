/**
 * Errors as RFC 9457 problem details, for a client that prefers them to plain JSON. They have the content and the code
 * of the contract's error. `type` leads to the code on the reference page.
 */
import type { IncomingMessage } from 'node:http';
import { prefersSecond } from '../wire/accept.js';
import { ERRORS, type ErrorCode } from './errors.js';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';
const INSTANCE_CHARS = 500;

export const wantsProblem = (req: IncomingMessage): boolean =>
  prefersSecond(req, 'application/json', 'application/problem+json');

/** Where the reference page (docs-page.ts) explains a code. */
export const anchorOf = (code: ErrorCode): string => `error-${code}`;

/** @param body an error in the shape of the contract. @param url of the request. */
export function problemOf(status: number, body: string, url: string): string {
  const {
    status: _error,
    code,
    message,
    ...more
  } = JSON.parse(body) as {
    readonly status: string;
    readonly code: ErrorCode;
    readonly message: string;
  };
  return JSON.stringify({
    type: `/docs#${anchorOf(code)}`,
    title: ERRORS[code].title,
    status,
    detail: message,
    instance: instanceOf(url),
    code,
    ...more,
  });
}

/** Only the path: a query may hold private data. Node accepts characters that no URI may contain; they are removed. */
function instanceOf(url: string): string {
  const [path = ''] = url.split('?', 1);
  return path.slice(0, INSTANCE_CHARS).replace(/[^\w\-.~!$&'()*+,;=:@/%]/g, '') || '/';
}
