/**
 * Checks a reply against the table of operations: the status must be documented, and the body must match the
 * schema of that status, without undocumented members.
 */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { errorReply, problemReply } from '../../../http/api/envelopes.js';
import { ERRORS, type ErrorCode } from '../../../http/api/errors.js';
import { codesOf, type Operation } from '../../../http/api/operation.js';

export interface Seen {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** @returns the differences from the documentation. */
export function replyFault(operation: Operation, { status, contentType, text }: Seen): string | undefined {
  const codes = codesOf(operation).filter((code) => ERRORS[code].status === status);
  const success = operation.success[status];
  if (status === 304 && operation.etag === true) return text === '' ? undefined : 'a body with 304';
  if (success === undefined && codes.length === 0) return `${status} is not documented`;
  if (contentType.startsWith('application/problem+json')) return errorFault(problemReply, codes, JSON.parse(text));
  if (!contentType.startsWith('application/json')) {
    const types = [success?.contentType ?? '-', success?.also?.contentType ?? '-'];
    return types.some((type) => contentType.startsWith(type)) ? undefined : `${contentType} is not documented`;
  }
  const value: unknown = JSON.parse(text);
  return isError(value)
    ? errorFault(errorReply, codes, value)
    : success === undefined
      ? 'no error in the shape of the contract'
      : schemaFault(success.schema, value);
}

/** The schema knows every code; this operation may answer these only. */
function errorFault(schema: z.ZodType, codes: readonly ErrorCode[], value: unknown): string | undefined {
  const { code } = Object(value) as { readonly code?: ErrorCode };
  return code !== undefined && !codes.includes(code) ? `${code} is not documented` : schemaFault(schema, value);
}

export function schemaFault(schema: z.ZodType, value: unknown): string | undefined {
  const read = schema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    return `${issue?.path.join('.')}: ${issue?.message}`;
  }
  return isDeepStrictEqual(read.data, value) ? undefined : `has more than its schema: ${JSON.stringify(value)}`;
}

const isError = (value: unknown): value is { readonly status: 'error' } =>
  typeof value === 'object' && value !== null && 'status' in value && value.status === 'error';
