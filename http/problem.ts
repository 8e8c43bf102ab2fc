/**
 * Errors as RFC 9457 problem details, for a client that accepts them and not plain JSON. They say the same as
 * the error of the contract, with the same code; `type` stays about:blank, since the code tells them apart.
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

const PROBLEM = /\bapplication\/problem\+json\b/i;
const PLAIN = /\bapplication\/json\b/i;

export function wantsProblem(req: IncomingMessage): boolean {
  const { accept } = req.headers;
  return accept !== undefined && PROBLEM.test(accept) && !PLAIN.test(accept);
}

/** @param body an error in the shape of the contract. */
export function problemOf(status: number, body: string): string {
  const { status: _error, message, ...more } = JSON.parse(body) as { status: string; message?: string };
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail: message, ...more });
}
