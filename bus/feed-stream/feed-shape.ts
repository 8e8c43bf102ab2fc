/** The stream FEED: what it is made of, and what of it must stay so. The operator may change its retention. */
import { JetStreamRefusal } from '../nats/jetstream.js';
import type { Nats, StreamConfig, StreamInfo } from '../nats/nats.js';
import { changeStream, compressionOf, ensureStream, type Requirement, type StreamShape } from '../nats/streams.js';
import { FEED_PREFIX } from './feed-message.js';

export const FEED_STREAM = 'FEED';
/** The filler's own notes (feed-cursor.ts). A consumer that names no filter meets them. */
export const CURSOR_SUBJECT = 'feed-cursor';

export interface FeedSize {
  readonly replicas: number;
  /** Undefined: as the stream is, or at first the default. */
  readonly bytes: number | undefined;
  readonly ageMs: number | undefined;
}

const DEFAULT_BYTES = 1_073_741_824;
const DEFAULT_AGE_MS = 7 * 24 * 3_600_000;
/** The filler never repeats an id (feed-filler.ts); a long memory of ids would cost the broker some 100 bytes each. */
const DUPLICATES_MS = 1_000;
const NANOSECONDS = 1_000_000;

/** The stream, made if it is missing, with the configured retention. @throws a sentence when it is unfit */
export async function feedStreamInfo(nats: Nats, { replicas, bytes, ageMs }: FeedSize): Promise<StreamInfo> {
  const shape = {
    name: FEED_STREAM,
    description: 'Holdfast: one message for each public event, in order. Consumers filter feed.<kind>.<event>.',
    subjects: [`${FEED_PREFIX}>`, CURSOR_SUBJECT],
    retention: 'limits',
    storage: 'file',
    discard: 'old',
    max_bytes: bytes ?? DEFAULT_BYTES,
    max_age: (ageMs ?? DEFAULT_AGE_MS) * NANOSECONDS,
    duplicate_window: Math.min(DUPLICATES_MS, ageMs ?? DUPLICATES_MS) * NANOSECONDS,
    num_replicas: replicas,
    allow_rollup_hdrs: true,
    allow_direct: true,
    // A broker that does not know one of these leaves it out of its answer.
    compression: compressionOf(replicas),
    allow_msg_ttl: true,
    // Else a broker that syncs would sync once an event, beside the journal. What it forgets is told again (feed-filler.F5).
    ...(replicas === 1 && { persist_mode: 'async' }),
  } satisfies StreamShape;
  const info = await ensureStream(nats, shape, requirements);
  const { config } = info;
  const maxAge = ageMs === undefined ? config.max_age : ageMs * NANOSECONDS;
  const sizes: Partial<StreamConfig> = {
    ...(bytes !== undefined && config.max_bytes !== bytes && { max_bytes: bytes }),
    ...(config.max_age !== maxAge && { max_age: maxAge }),
  };
  const isUnsound = config.num_replicas > 1 && config.compression === 's2';
  const changes = { ...sizes, ...(isUnsound && { compression: compressionOf(config.num_replicas) }) };
  if (Object.keys(changes).length === 0) return info;
  try {
    return await changeStream(nats, info, changes);
  } catch (error) {
    if (Object.keys(sizes).length > 0 || !(error instanceof JetStreamRefusal)) throw error;
    return info; // It serves as it is.
  }
}

// ---------------------------------------------------------------- machinery

const requirements: readonly Requirement[] = [
  {
    field: 'subjects',
    wanted: `${FEED_PREFIX}> and ${CURSOR_SUBJECT}`,
    fits: (s) => Array.isArray(s) && s.includes(`${FEED_PREFIX}>`) && s.includes(CURSOR_SUBJECT),
  },
  { field: 'discard', wanted: 'old', fits: (v) => v === 'old' },
  { field: 'retention', wanted: 'limits', fits: (v) => v === 'limits' },
  { field: 'allow_rollup_hdrs', wanted: 'true', fits: (v) => v === true },
  { field: 'sealed', wanted: 'false', fits: (v) => v !== true },
  { field: 'no_ack', wanted: 'false', fits: (v) => v !== true },
];
