// What FEED has, message for message, and the verdict on it.

import type { Nats } from '../../../bus/nats/nats.js';
import { readStream } from '../../../bus/nats/stream-reader.js';
import { streamInfo } from '../../../bus/nats/streams.js';

interface FeedMessage {
  readonly subject: string;
  readonly headers: string;
  readonly text: string;
}

export const headerIn = ({ headers }: Pick<FeedMessage, 'headers'>, name: string): string | undefined =>
  new RegExp(`^${name}: *(\\S*)`, 'im').exec(headers)?.[1];

export const idOf = (message: FeedMessage): string => decodeURIComponent(headerIn(message, 'ce-id') ?? '');

/** All messages of FEED but the filler's own. */
export async function feedMessages(nats: Nats): Promise<FeedMessage[]> {
  const found: FeedMessage[] = [];
  const info = await streamInfo(nats, 'FEED', 2_000).catch(() => undefined);
  const last = info?.state.last_seq ?? 0;
  if (info === undefined || info.state.messages === 0) return found;
  const over = AbortSignal.timeout(20_000);
  const from = { kind: 'sequence', sequence: 1 } as const;
  for await (const page of readStream(nats, { stream: 'FEED', filter: '>', from, signal: over })) {
    for (const message of page) if (message.subject.startsWith('feed.')) found.push(message);
    if ((page.at(-1)?.sequence ?? 0) >= last) return found;
  }
  throw new Error('FEED was not read in time');
}

/** Why these ids are not each expected event once, and in the order of its actor; undefined when they are. */
export function whyWrong(
  ids: readonly string[],
  expected: readonly { id: string; subject: string }[],
): string | undefined {
  const seen = new Set<string>();
  for (const id of ids) {
    if (seen.has(id)) return `${id} is there twice`;
    seen.add(id);
  }
  const missing = expected.find(({ id }) => !seen.has(id));
  if (missing !== undefined) return `${missing.id} is missing (${ids.length} of ${expected.length} are there)`;
  if (ids.length > expected.length) return `there are ${ids.length}, not ${expected.length}`;
  const places = new Map(ids.map((id, at) => [id, at]));
  const last = new Map<string, number>();
  for (const { id, subject } of expected) {
    const at = places.get(id) ?? 0;
    if (at < (last.get(subject) ?? 0)) return `${id} comes too early`;
    last.set(subject, at);
  }
  return undefined;
}
