/**
 * Errors as RFC 9457 problem details, for a client that would rather have them than plain JSON. They say the same as
 * the error of the contract, with the same code; `type` is where the reference page explains it.
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

/** @param body an error in the shape of the contract. @param url what was asked for. */
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

/** The path alone: a query may hold what is nobody's business. Node lets through what no URI may contain. */
function instanceOf(url: string): string {
  const [path = ''] = url.split('?', 1);
  return path.slice(0, INSTANCE_CHARS).replace(/[^\w\-.~!$&'()*+,;=:@/%]/g, '') || '/';
}
