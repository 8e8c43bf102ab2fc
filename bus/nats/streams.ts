/**
 * The operations on a JetStream stream: create it, read one subject of it, trim it.
 *
 * Law: a missing answer proves nothing. Only the stream's leader may say that a message does not exist; a timeout
 * rejects. Nor may a leader that counts messages of a subject and finds none: its copy is damaged. The returned
 * configuration is compared with the wanted one, because older servers silently drop fields that they do not know.
 */
import { setTimeout } from 'node:timers/promises';
import { refuseUnsoundReplicas } from './broker-guarantee.js';
import { JetStreamRefusal } from './jetstream.js';
import type { Nats, NatsMessage, StreamConfig, StreamInfo } from './nats.js';
import { NobodyAnswers } from './requests.js';

const NO_STREAM = 10059;
const NO_MESSAGE = 10037;
/** Another process created the stream first, with other settings. */
const NAME_TAKEN = 10058;
const SUBJECTS_OVERLAP = 10065;
const NO_STORAGE = 10047;
const NO_META_LEADER = 10008;
/** A broker that is alone, and a cluster with too few brokers, or too few that are up. */
const TOO_FEW_BROKERS = [10074, 10005];
/** Also for a moment after a stream of that name was deleted: the broker answers before it has removed the files. */
const NO_STORE = 10049;

export type StreamShape = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects' | 'num_replicas'>;

/** A field of the configuration that can make a stream unfit, and the check of its value. */
export interface Requirement {
  readonly field: keyof StreamConfig;
  readonly wanted: string;
  /** @param config all of it */
  readonly fits: (value: unknown, config: Partial<StreamConfig>) => boolean;
}

interface StoredMessage {
  readonly seq: number;
  readonly text: string;
  readonly headers: string;
}

export async function streamInfo(nats: Nats, name: string, deadlineMs?: number): Promise<StreamInfo | undefined> {
  try {
    return await nats.api<StreamInfo>(`STREAM.INFO.${name}`, undefined, deadlineMs);
  } catch (error) {
    if (error instanceof JetStreamRefusal && error.errCode === NO_STREAM) return undefined;
    throw error;
  }
}

/**
 * The same, once the stream has a leader, or the brokers know that there is none of this name: when a leader is lost, brokers
 * take seconds to elect another.
 * @throws when that takes too long, with a sentence
 */
export async function streamInfoWhenLed(nats: Nats, name: string, waitMs = LED_MS): Promise<StreamInfo | undefined> {
  for (const until = performance.now() + waitMs; ; await setTimeout(LED_AGAIN_MS)) {
    try {
      return await streamInfo(nats, name, READ_MS);
    } catch (error) {
      const isLed = error instanceof JetStreamRefusal && error.errCode !== NO_META_LEADER;
      if (isLed || error instanceof NobodyAnswers) throw error;
      if (performance.now() < until) continue;
      throw new Error(
        `NATS is there, but the stream ${name} has no leader: more than half of the brokers that keep it must be up and ` +
          `reach one another. ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

/**
 * The stream, created if it is missing. Two nodes that start at once get the same stream.
 * @throws when it is unfit, or has copies on brokers that do not keep two writers apart
 */
export async function ensureStream(
  nats: Nats,
  shape: StreamShape,
  requirements: readonly Requirement[],
): Promise<StreamInfo> {
  refuseUnsoundReplicas(nats.version, shape.num_replicas);
  const info = (await streamInfo(nats, shape.name)) ?? (await createStream(nats, shape));
  refuseUnsoundReplicas(nats.version, info.config.num_replicas);
  const unfit = requirements.filter(({ field, fits }) => !fits(info.config[field], info.config));
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

/** Changes a stream's configuration. @returns it as the broker keeps it: an older one drops fields that it does not know */
export const changeStream = (nats: Nats, { config }: StreamInfo, changes: Partial<StreamConfig>): Promise<StreamInfo> =>
  nats.api<StreamInfo>(`STREAM.UPDATE.${config.name}`, { ...config, ...changes });

/** The bounds of one page. A record has at most 1 MB. */
const PAGE = { messages: 512, bytes: 4_194_304 };
/** This many messages are read singly before a consumer is worth its cost. */
const SINGLY = 3;
const PAGE_MS = 2_000;
/** A dead leader never answers, but its successor does: so the deadline is short, and the caller retries. */
const READ_MS = 1_500;
/** More than twice the time of an election. */
const LED_MS = 20_000;
const LED_AGAIN_MS = 200;

/**
 * The next messages of a subject after a sequence; empty only at the subject's end. A page may be short, but it begins
 * with the next message and has no gap.
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
  // From here on a missing answer only makes the page short.
  found.push(...(await fetchPage(nats, stream, subject, at).catch(() => [])));
  return found;
}

/** @throws Damaged */
export async function lastMessage(
  nats: Nats,
  stream: string,
  subject: string,
  deadlineMs = READ_MS,
): Promise<StoredMessage | undefined> {
  for (let tries = 1; ; tries++) {
    const found = await getMessage(nats, stream, { last_by_subj: subject }, deadlineMs);
    if (found !== undefined) return found;
    const info = await nats.api<StreamInfo>(`STREAM.INFO.${stream}`, { subjects_filter: subject }, deadlineMs);
    const counted = info.state.subjects?.[subject] ?? 0;
    if (counted === 0) return undefined;
    if (tries === COUNTED_TRIES) throw await damaged(nats, info, `${counted} messages of ${subject}`);
  }
}

/** A copy of a stream that has lost what it counts. */
export class Damaged extends Error {
  override name = 'Damaged';
}

/** Whether the subject, which may have wildcards, has a message after a sequence. */
export const hasMessageAfter = async (nats: Nats, stream: string, subject: string, after: number): Promise<boolean> =>
  (await getMessage(nats, stream, { seq: after + 1, next_by_subj: subject })) !== undefined;

/** @throws Damaged where messages of these subjects are counted, and not found */
export async function refuseDamaged(nats: Nats, stream: string, subjects: string): Promise<void> {
  const { state } = await nats.api<StreamInfo>(`STREAM.INFO.${stream}`, { subjects_filter: subjects });
  for (const subject of Object.keys(state.subjects ?? {})) await lastMessage(nats, stream, subject);
}

/**
 * Removes a subject's messages up to a sequence, but never its last one.
 * @param purger who may purge the stream, where that is not whoever reads it
 */
export async function trimSubject(
  nats: Nats,
  stream: string,
  subject: string,
  upTo: number,
  purger: Pick<Nats, 'api'> = nats,
): Promise<void> {
  const last = await lastMessage(nats, stream, subject);
  const before = Math.min(upTo + 1, last?.seq ?? 0);
  // The broker reads a purge below sequence 0 or 1 as a purge of everything.
  if (before > 1) await purger.api(`STREAM.PURGE.${stream}`, { filter: subject, seq: before });
}

/**
 * The compression for a stream with so many copies. A nats-server 2.15 that syncs each record, was killed and starts again cuts its
 * copy back to the log of the cluster. Meanwhile it may compress the block that it goes on writing to: nobody can read that one again.
 */
export const compressionOf = (copies: number): 's2' | 'none' => (copies > 1 ? 'none' : 's2');

// ---------------------------------------------------------------- machinery

/** A message may go, or another broker begin to lead, between the two questions. */
const COUNTED_TRIES = 3;
/** An election, and a moment for those who wait. */
const STEP_DOWN_EVERY_MS = 10_000;
const steppedDown = new WeakMap<Nats, Map<string, number>>();

/** Asks a leader whose copy is damaged to step down: another copy may be whole. @returns the error that says so */
async function damaged(nats: Nats, { config, cluster }: StreamInfo, what: string): Promise<Damaged> {
  const { name, num_replicas } = config;
  const hasCopies = num_replicas > 1;
  const asked = steppedDown.get(nats) ?? new Map<string, number>();
  steppedDown.set(nats, asked);
  if (hasCopies && performance.now() - (asked.get(name) ?? Number.NEGATIVE_INFINITY) > STEP_DOWN_EVERY_MS) {
    asked.set(name, performance.now());
    await nats.api(`STREAM.LEADER.STEPDOWN.${name}`, undefined, READ_MS).catch(() => {}); // It may not be allowed.
  }
  return new Damaged(
    `The stream ${name} on NATS counts ${what}, and finds none: the copy of ${cluster?.leader ?? 'the broker'} is damaged. ` +
      (hasCopies ? 'Another copy is asked to lead. ' : '') +
      `If it stays so, see "A damaged stream" in OPERATING.md.`,
  );
}

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
    if (TOO_FEW_BROKERS.includes(error.errCode)) {
      throw new Error(
        `NATS cannot keep ${shape.num_replicas} copies of the stream ${shape.name} (NATS_REPLICAS): it takes as many ` +
          `brokers in one cluster, all of them up. ${error.message}`,
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

async function getMessage(
  nats: Nats,
  stream: string,
  query: object,
  deadlineMs = READ_MS,
): Promise<StoredMessage | undefined> {
  type Answer = { message: { seq: number; data?: string; hdrs?: string } };
  try {
    const { message } = await nats.api<Answer>(`STREAM.MSG.GET.${stream}`, query, deadlineMs);
    return { seq: message.seq, text: fromBase64(message.data), headers: fromBase64(message.hdrs) };
  } catch (error) {
    if (error instanceof JetStreamRefusal && error.errCode === NO_MESSAGE) return undefined;
    throw error;
  }
}

/** Reads with a short-lived pull consumer, which every supported version has. Batched direct get came with 2.11. */
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
    // A status message ends the page. A gap ends it too, because a message may be lost on the way.
    if (place === undefined || place.number !== found.length + 1) return true;
    found.push({ seq: place.seq, text: message.string(), headers: '' });
    return place.pending === 0 || found.length === PAGE.messages;
  };
  const query = JSON.stringify({ batch: PAGE.messages, max_bytes: PAGE.bytes, no_wait: true });
  await nats
    .request(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, query, { until: take, deadlineMs: PAGE_MS })
    .catch(() => {});
  // If this call fails, the broker removes the consumer by itself.
  nats.api(`CONSUMER.DELETE.${stream}.${name}`).catch(() => {});
  return found;
}

/** From $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>[.<more>] */
export function deliveryOf(message: NatsMessage): Delivery | undefined {
  const tokens = message.reply?.split('.') ?? [];
  if (tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const [seq, number, storedNs, pending] = tokens.slice(tokens.length === 9 ? 5 : 7).map(Number);
  if (seq === undefined || number === undefined || storedNs === undefined || pending === undefined) return undefined;
  return { seq, number, storedMs: storedNs / 1e6, pending };
}

interface Delivery {
  readonly seq: number;
  /** Counts the consumer's deliveries from 1. */
  readonly number: number;
  readonly storedMs: number;
  readonly pending: number;
}

const fromBase64 = (text: string | undefined): string =>
  text === undefined ? '' : Buffer.from(text, 'base64').toString();
