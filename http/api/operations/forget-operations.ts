/** Erasing a person's data. */
import { forgetBody, forgetReply } from '../forget-schemas.js';
import { operation } from '../operation.js';
import { userParams } from '../schemas.js';
import { EXAMPLE_ORDER_ID } from './examples.js';

export const forgetOperations = [
  operation({
    method: 'POST',
    path: '/api/users/:user_id/forget',
    id: 'forgetUser',
    tag: 'Orders',
    scope: 'admin',
    ports: 'main',
    summary: 'Erase the personal data of a user',
    description: [
      "Erases e-mail, addresses, notes, tracking ids and the reasons that people wrote, from the user's orders, their histories and the search index. The user's id, lines, amounts and times stay.",
      'A request looks at up to 100 orders, the newest first. Repeat it with `next_cursor` until that is null. Each order is an act of its own: after a failure send the same request again.',
      "Orders that are under way are named, and keep their data. A repeat of a forgotten order's placing gets the same reply without the erased fields, whatever it has in them.",
    ].join('\n\n'),
    params: userParams,
    body: forgetBody,
    optionalBody: true,
    examples: [{ name: "Ada's", params: { user_id: 'ada' }, body: {} }],
    success: {
      200: {
        description: 'What was erased, and what was not.',
        schema: forgetReply,
        example: {
          status: 'success',
          message: 'The personal data of these orders is erased',
          data: { user_id: 'ada', orders: 2, forgotten: 1, under_way: [EXAMPLE_ORDER_ID], next_cursor: null },
        },
      },
    },
    errors: ['unavailable', 'busy'],
    handle: ({ forgetting }, { params, body }, request) => forgetting.forget(request, params.user_id, body),
  }),
];
