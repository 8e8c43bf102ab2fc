/**
 * What the logs ask of a JetStream stream: make it, read one subject of it, trim it.
 *
 * Law: nothing is guessed from silence. "There is no such message" comes only from the stream's leader
 * saying so; a timeout rejects. A returned configuration is compared with the one asked for, since older
 * servers drop what they do not know without a word.
 */
import { setTimeout } from 'node:timers/promises';
import { JetStreamRefusal, type Nats, type NatsMessage, type StreamConfig, type StreamInfo } from './nats.js';

const NO_STREAM = 10059;
const NO_MESSAGE = 10037;
/** Someone made it first, with other settings. */
const NAME_TAKEN = 10058;
const SUBJECTS_OVERLAP = 10065;
const NO_STORAGE = 10047;
/** Also for a moment after a stream of that name was deleted: the broker removes its files later than it says. */
const NO_STORE = 10049;

export type StreamShape = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects' | 'num_replicas'>;

/** A difference that makes a stream unfit; the field, and whether its value will do. */
export interface Requirement {
  readonly field: keyof StreamConfig;
  readonly wanted: string;
  readonly fits: (value: unknown) => boolean;
}

interface StoredMessage {
  readonly seq: number;
  readonly text: string;
  readonly headers: string;
}

export async function streamInfo(nats: Nats, name: string): Promise<StreamInfo | undefined> {
  try {
    return await nats.api<StreamInfo>(`STREAM.INFO.${name}`);
  } catch (error) {
    if (error instanceof JetStreamRefusal && error.errCode === NO_STREAM) return undefined;
    throw error;
  }
}

/** The stream as it stands, made if missing; two that start at once get the same one. @throws when it is unfit. */
export async function ensureStream(
  nats: Nats,
  shape: StreamShape,
  requirements: readonly Requirement[],
): Promise<StreamInfo> {
  const info = (await streamInfo(nats, shape.name)) ?? (await createStream(nats, shape));
  const unfit = requirements.filter(({ field, fits }) => !fits(info.config[field]));
  if (unfit.length > 0) {
    const found = unfit.map(
      ({ field, wanted }) => `${field} is ${JSON.stringify(info.config[field])}, must be ${wanted}`,
    );
    throw new Error(
      `The stream ${shape.name} on NATS is not fit for Holdfast: ${found.join('; ')}. ` +
        `Change it with \`nats stream edit ${shape.name}\`, or use another NATS account for Holdfast.`,
    );
  }
  return info;
}

/** Bounds on one page: a record is at most 1 MB. */
const PAGE = { messages: 512, bytes: 4_194_304 };
/** So many are fetched singly before a consumer is worth its making. */
const SINGLY = 3;
const PAGE_MS = 2_000;
/** A leader that has died never answers, its successor does: asked again soon, not waited for. */
const READ_MS = 1_500;

/**
 * The next messages of a subject after a sequence; empty only at its end. A page may be short: what counts
 * is that the first message is the next one, and none is left out between two.
 */
export async function messagesAfter(
  nats: Nats,
  stream: string,
  subject: string,
  after: number,
): Promise<StoredMessage[]> {
  const found: StoredMessage[] = [];
  let at = after;
  while (found.length < SINGLY) {
    const next = await getMessage(nats, stream, { seq: at + 1, next_by_subj: subject });
    if (next === undefined) return found;
    found.push(next);
    at = next.seq;
  }
  // From here on silence only makes the page short.
  found.push(...(await fetchPage(nats, stream, subject, at).catch(() => [])));
  return found;
}

export const lastMessage = (nats: Nats, stream: string, subject: string): Promise<StoredMessage | undefined> =>
  getMessage(nats, stream, { last_by_subj: subject });

/** Removes a subject's messages up to a sequence, but never its last one. */
export async function trimSubject(nats: Nats, stream: string, subject: string, upTo: number): Promise<void> {
  const last = await lastMessage(nats, stream, subject);
  const before = Math.min(upTo + 1, last?.seq ?? 0);
  // A purge below sequence 0 or 1 would be a purge of everything.
  if (before > 1) await nats.api(`STREAM.PURGE.${stream}`, { filter: subject, seq: before });
}

// ---------------------------------------------------------------- machinery

const STORE_AGAIN_MS = 100;
const STORE_TRIES = 50;

async function createStream(nats: Nats, shape: StreamShape, tries = STORE_TRIES): Promise<StreamInfo> {
  try {
    return await nats.api<StreamInfo>(`STREAM.CREATE.${shape.name}`, shape);
  } catch (error) {
    if (!(error instanceof JetStreamRefusal)) throw error;
    if (error.errCode === NO_STORE && tries > 1) {
      await setTimeout(STORE_AGAIN_MS);
      return createStream(nats, shape, tries - 1);
    }
    const info = error.errCode === NAME_TAKEN ? await streamInfo(nats, shape.name) : undefined;
    if (info !== undefined) return info;
    if (error.errCode === NO_STORAGE) {
      throw new Error(
        `NATS has no room for the stream ${shape.name}, which may grow to ${shape.max_bytes} bytes: ` +
          'give it a larger max_file_store, or a larger disk.',
      );
    }
    if (error.errCode === SUBJECTS_OVERLAP) {
      throw new Error(
        `The stream ${shape.name} cannot be made: another stream on NATS takes one of its subjects ` +
          `(${shape.subjects.join(', ')}). Use another NATS account for Holdfast.`,
      );
    }
    throw error;
  }
}

async function getMessage(nats: Nats, stream: string, query: object): Promise<StoredMessage | undefined> {
  type Answer = { message: { seq: number; data?: string; hdrs?: string } };
  try {
    const { message } = await nats.api<Answer>(`STREAM.MSG.GET.${stream}`, query, READ_MS);
    return { seq: message.seq, text: fromBase64(message.data), headers: fromBase64(message.hdrs) };
  } catch (error) {
    if (error instanceof JetStreamRefusal && error.errCode === NO_MESSAGE) return undefined;
    throw error;
  }
}

/** By a short-lived pull consumer, which every supported version has: batched direct get came with 2.11. */
async function fetchPage(nats: Nats, stream: string, subject: string, after: number): Promise<StoredMessage[]> {
  const { name } = await nats.api<{ name: string }>(`CONSUMER.CREATE.${stream}`, {
    stream_name: stream,
    config: {
      deliver_policy: 'by_start_sequence',
      opt_start_seq: after + 1,
      filter_subject: subject,
      ack_policy: 'none',
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: 10_000_000_000,
    },
  });
  const found: StoredMessage[] = [];
  const take = (message: NatsMessage): boolean => {
    const place = deliveryOf(message);
    // A status ends the page; so does a hole, since a message may be lost on its way to us.
    if (place === undefined || place.number !== found.length + 1) return true;
    found.push({ seq: place.seq, text: message.string(), headers: '' });
    return place.pending === 0 || found.length === PAGE.messages;
  };
  const query = JSON.stringify({ batch: PAGE.messages, max_bytes: PAGE.bytes, no_wait: true });
  await nats
    .request(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, query, { until: take, deadlineMs: PAGE_MS })
    .catch(() => {});
  // Unanswered, the broker removes it by itself.
  nats.api(`CONSUMER.DELETE.${stream}.${name}`).catch(() => {});
  return found;
}

/** From $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>[.<more>] */
function deliveryOf(message: NatsMessage): { seq: number; number: number; pending: number } | undefined {
  const tokens = message.reply?.split('.') ?? [];
  if (tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const [seq, number, , pending] = tokens.slice(tokens.length === 9 ? 5 : 7).map(Number);
  if (seq === undefined || number === undefined || pending === undefined) return undefined;
  return { seq, number, pending };
}

const fromBase64 = (text: string | undefined): string =>
  text === undefined ? '' : Buffer.from(text, 'base64').toString();
