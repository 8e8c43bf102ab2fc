/** Schemas of the envelopes of replies: a success, a list and an error. */
import { z } from 'zod';
import { limits } from '../../actors/limits.js';
import { ERRORS, type ErrorCode } from './errors.js';

const count = z.int().min(0);
const success = z.literal('success');

// ---------------------------------------------------------------- success

export const one = <T extends z.ZodType, M extends z.core.$ZodLooseShape = Record<never, never>>(
  id: string,
  data: T,
  beside?: M,
) => z.object({ status: success, data, ...(beside as M) }).meta({ id });

/** The envelope of a write. Its message says in a sentence what the write did. */
export const written = <T extends z.ZodType>(id: string, data: T) =>
  z.object({ status: success, message: z.string(), data }).meta({ id });

// ---------------------------------------------------------------- lists

const fresh = z.boolean().optional().meta({
  description: 'Whether everything that was answered before is in the list. Present only if `fresh=true` asked for it.',
});

const pagination = z
  .object({
    page: z.int().min(1),
    page_size: z.int().min(1).max(limits.pageSize),
    total: count,
    total_pages: count,
    total_is_estimate: z.literal(true).optional().meta({ description: 'Present only if the total is an estimate.' }),
    fresh,
  })
  .meta({ id: 'Pagination' });

const cursorPagination = z
  .object({
    limit: z.int().min(1).max(limits.pageSize),
    next_cursor: z.string().nullable().meta({ description: 'Null at the end of the list.' }),
    total: count.optional().meta({ description: 'The size of the whole list. Only the first page has it.' }),
    total_is_estimate: z.literal(true).optional(),
    fresh,
  })
  .meta({ id: 'CursorPagination' });

/** A list that is read by page number. */
export const listed = <T extends z.ZodType>(id: string, item: T) =>
  z.object({ status: success, data: z.array(item), pagination }).meta({ id });

/** A list that is read by cursor. */
export const continued = <T extends z.ZodType>(id: string, item: T) =>
  z.object({ status: success, data: z.array(item), pagination: cursorPagination }).meta({ id });

/** A list that is read by page number or by cursor. */
export const paged = <T extends z.ZodType>(id: string, item: T) =>
  z.object({ status: success, data: z.array(item), pagination: z.union([pagination, cursorPagination]) }).meta({ id });

// ---------------------------------------------------------------- errors

export const fieldError = z.object({ field: z.string(), message: z.string() }).meta({ id: 'FieldError' });

const errorCode = z.enum(Object.keys(ERRORS) as ErrorCode[]).meta({ id: 'ErrorCode' });

/** Members of an error beside its code and message. The code decides which of them are present. */
const about = {
  errors: z
    .array(fieldError)
    .meta({ description: 'Every field that is wrong. The field `body` stands for the body as a whole.' }),
  order_id: z.string().optional().meta({ description: 'The order that the error is about.' }),
  details: z
    .array(
      z
        .object({
          product_id: z.string(),
          asked: z.int().optional().meta({ description: 'Absent if the product is unknown.' }),
          available: z.int().optional().meta({ description: 'Absent if the product is unknown.' }),
        })
        .meta({ id: 'ErrorDetail' }),
    )
    .optional()
    .meta({ description: 'The products that an order failed for.' }),
  allowed: z.array(z.string()).optional().meta({ description: 'The statuses that the order can be brought to.' }),
  idempotency_key: z
    .string()
    .optional()
    .meta({ description: 'Send the same request again with this Idempotency-Key to complete it.' }),
  done: z.array(z.string()).optional().meta({ description: 'The products of a receipt that were received.' }),
  rows: count.optional().meta({ description: 'How many rows of a file were read.' }),
  imported: count.optional().meta({ description: 'How many rows of a file were imported. They stay.' }),
  failed: count.optional().meta({ description: 'How many rows of a file failed.' }),
};

export const errorReply = z
  .object({
    status: z.literal('error'),
    code: errorCode,
    message: z.string().meta({ description: 'A sentence for a person.' }),
    ...about,
  })
  .meta({ id: 'Error' });

/** The same error in the form of RFC 9457. */
export const problemReply = z
  .object({
    type: z.string().meta({ format: 'uri-reference', description: 'Where the reference explains the code.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'A sentence for a person.' }),
    instance: z.string().meta({ format: 'uri-reference' }),
    code: errorCode,
    ...about,
  })
  .meta({ id: 'Problem' });
