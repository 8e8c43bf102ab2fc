/** The schemas of what the page at `/` asks for beside everyone else's operations. */
import { z } from 'zod';
import { SCOPES } from '../../actors/principal.js';
import { one } from './envelopes.js';
import { moment } from './list-queries.js';

const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);
const ms = z.number().min(0).nullable();

export const overviewQuery = z.object({
  after: moment('Leaves out the samples up to this time: those that you have.'),
});
export type OverviewQuery = z.output<typeof overviewQuery>;

const sample = z
  .object({
    at: time.meta({ description: 'The end of its interval.' }),
    confirmed: count.meta({ description: 'Orders of this node that were confirmed.' }),
    failed: count,
    cancelled: count.meta({ description: 'Orders that were cancelled before they had another outcome.' }),
    answered: count.meta({ description: 'Answers of this node to `POST /api/orders`.' }),
    p50_ms: ms.meta({ description: 'Half of these answers took at most so long. Null without an answer.' }),
    p95_ms: ms,
    p99_ms: ms,
    events: count.nullable().meta({
      description: 'How many messages came to `EVENTS`, from all nodes. Null if that is not known.',
    }),
  })
  .meta({ id: 'Sample' });

const feed = z
  .object({
    name: z.string(),
    behind: count.meta({ description: 'Messages of `EVENTS` that it has not told yet.' }),
    state: z
      .enum(['running', 'elsewhere', 'failing'])
      .meta({ id: 'FeedState', description: 'elsewhere: another process runs it. failing: it is tried again.' }),
  })
  .meta({ id: 'SeenFeed' });

const verdict = z
  .object({
    clean: z.boolean(),
    at: time,
    violations: count,
    of: z.enum(['verify', 'last dump']).meta({ id: 'JudgedThing', description: 'What was judged.' }),
  })
  .meta({ id: 'SeenVerdict' });

const overview = z
  .object({
    node: z.object({ name: z.string(), version: z.string(), started_at: time }).meta({ id: 'SeenNode' }),
    now: time,
    every_ms: count.meta({ description: 'The time between two samples.' }),
    samples: z.array(sample).meta({ description: 'Of the last ten minutes, the oldest first.' }),
    events: z
      .object({
        last_sequence: count.nullable().meta({ description: 'Of the last message. Null if that is not known.' }),
        feeds: z.array(feed).meta({ description: 'What this process, or its child, runs. Empty: another one does.' }),
      })
      .meta({ id: 'SeenEvents' })
      .nullable()
      .meta({ description: 'Null without NATS.' }),
    verify: verdict.nullable().meta({
      description:
        'The last verdict that this node knows: of `holdfast verify` with its `DATA_DIR`, or of its role backup on a dump.',
    }),
  })
  .meta({ id: 'Overview' });

export const overviewReply = one('OverviewReply', overview);

const me = z
  .object({
    auth: z.enum(['off', 'keys']).meta({ id: 'AuthMode' }),
    subject: z.string().meta({ description: 'The name of the caller. Empty while `AUTH` is off.' }),
    user_id: z
      .string()
      .nullable()
      .meta({ description: 'The user of a customer. Null: a service, which sees all users.' }),
    scopes: z
      .array(z.enum(SCOPES).meta({ id: 'Scope' }))
      .meta({ description: 'Everything that the caller may do. `admin` implies the others.' }),
    environment: z.enum(['development', 'production']).meta({ id: 'Environment' }),
    gremlin: z.boolean().meta({ description: 'Whether this node allows the gremlin.' }),
  })
  .meta({ id: 'Me' });

export const meReply = one('MeReply', me);
