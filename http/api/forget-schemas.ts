/** The schemas of erasing a person's data. */
import { z } from 'zod';
import { written } from './envelopes.js';
import { cursor } from './list-queries.js';
import { object } from './schemas.js';

const count = z.int().min(0);

export const forgetBody = z.compile(
  object({
    unshipped: z.boolean('must be true or false').optional().meta({
      description: 'True also erases confirmed orders that are not wholly shipped. Their addresses are then gone.',
    }),
    cursor,
  }).meta({ id: 'ForgetRequest' }),
);
export type ForgetBody = z.output<typeof forgetBody>;

export const forgetReply = written(
  'ForgetReply',
  z
    .object({
      user_id: z.string(),
      orders: count.meta({ description: 'How many orders of the user were looked at.' }),
      forgotten: count.meta({
        description: 'How many of them lost personal data now. The others had none, or are under way.',
      }),
      under_way: z.array(z.string()).meta({
        description:
          'The orders that may still need their data: not decided, not shipped, or money is owed. Ask again later.',
      }),
      next_cursor: z
        .string()
        .nullable()
        .meta({ description: 'Send it as `cursor` for the next orders. Null at the end.' }),
    })
    .meta({ id: 'Forgotten' }),
);
