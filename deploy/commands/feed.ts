// `holdfast feed`: how far the feeds of Kafka have come, and an order to send again. It runs beside the system. A replay takes
// the feed's place in Kafka: whichever process runs it notices, and begins again from there.

import { parseArgs } from 'node:util';
import { natsEventSource } from '../../bus/kafka/event-source.js';
import { decodeCursor, type FeedCursor, type Replay } from '../../bus/kafka/feed-cursor.js';
import { cursorTopic, feedIds, topicNames } from '../../bus/kafka/kafka-feeds.js';
import { cursorRecord } from '../../bus/kafka/topic-feed.js';
import type { Topics } from '../../bus/kafka/topics.js';
import { connectNats } from '../../bus/nats/nats.js';
import { systemClock } from '../../bus/system-clock.js';
import { postgresSettlements } from '../../storage/postgres/postgres-settlement.js';
import { CouldNotLook } from '../../storage/verify/verdict.js';
import type { Config } from '../config/config.js';
import { connectKafka } from '../feed/kafka.js';
import { look, type Place, print, quiet, say } from './place.js';

export const FEED_USAGE = `  holdfast feed status    show how far the feeds of Kafka have come
                          exit 0: both have begun; 1: one has not; 2: could not look
  holdfast feed replay --from start|next|TIME [--feed events|facts]
                          send again: start, all that EVENTS has; a time such as 2026-11-21T11:00:00Z, what was stored since;
                          next, nothing again: go on where it was, past what EVENTS has lost`;

type FeedName = 'events' | 'facts';
type FeedCommand =
  | { readonly kind: 'status' }
  | { readonly kind: 'replay'; readonly from: 'start' | 'next' | number; readonly feeds: readonly FeedName[] };

const EXIT_DONE = 0;
const EXIT_NOT_BEGUN = 1;
const FEEDS: readonly FeedName[] = ['events', 'facts'];

/** @returns what is wrong with the words, as text */
export function readFeedCommand(words: readonly string[], now: number): FeedCommand | string {
  const [verb, ...rest] = words;
  if (verb === 'status' && rest.length === 0) return { kind: 'status' };
  if (verb !== 'replay') return `status or replay, not "${verb ?? ''}"`;
  const text = { type: 'string' } as const;
  let given: { from?: string | undefined; feed?: string | undefined };
  try {
    given = parseArgs({ args: rest, options: { from: text, feed: text }, allowPositionals: false }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const { from = '', feed } = given;
  const feeds = feed === undefined ? FEEDS : FEEDS.filter((name) => name === feed);
  if (feeds.length === 0) return '--feed must be events or facts';
  if (from === 'start' || from === 'next') return { kind: 'replay', from, feeds };
  const ms = /^\d{4}-\d\d-\d\d/.test(from) ? Date.parse(from) : Number.NaN;
  if (Number.isNaN(ms)) return '--from must be start, next or a time such as 2026-11-21T11:00:00Z';
  // Until then nothing would be sent.
  if (ms > now) return '--from must not be a time that is still to come';
  return { kind: 'replay', from: ms, feeds };
}

export async function runFeedCommand(config: Config, command: FeedCommand): Promise<number> {
  const { kafka } = config;
  if (kafka === undefined) throw new CouldNotLook('Kafka is not used: set KAFKA_BROKERS as the start has it');
  return look(config, async (client, place) => {
    try {
      const settlement = await postgresSettlements(client).settled();
      if (settlement === undefined)
        throw new CouldNotLook('the database remembers no system: nothing was ever started on it');
      const topics = await connectKafka(config);
      try {
        const cursors = cursorTopic(topicNames(kafka.prefix)).name;
        const ids = feedIds(settlement.id);
        return command.kind === 'status'
          ? await status(topics, cursors, ids, place)
          : await replay(topics, cursors, ids, command);
      } finally {
        await topics.close();
      }
    } finally {
      await client.end();
    }
  });
}

// ---------------------------------------------------------------- machinery

type Ids = ReturnType<typeof feedIds>;

async function placeOf(topics: Topics, cursors: string, id: string): Promise<FeedCursor | Replay | undefined> {
  if ((await topics.filled([cursors])).size === 0) return undefined;
  const text = await topics.last(cursors, id);
  return text === undefined ? undefined : decodeCursor(text);
}

async function status(topics: Topics, cursors: string, ids: Ids, { nats: broker }: Place): Promise<number> {
  const nats = broker && (await connectNats(broker.url, { name: 'holdfast feed', log: quiet }));
  try {
    const source = nats && natsEventSource(nats, systemClock(), quiet);
    let haveBegun = true;
    for (const feed of FEEDS) {
      const place = await placeOf(topics, cursors, ids[feed]);
      haveBegun &&= place !== undefined;
      if (place === undefined) print(`${feed}: has not begun`);
      else if ('replay' in place) print(`${feed}: is to begin again from ${timeOf(place.replay)}`);
      else {
        const sent = Object.entries(place.records).map(([topic, count]) => `${count} to ${topic}`);
        const unread = await source?.after(place);
        const behind = unread === undefined ? '' : `; ${unread.messages} messages of EVENTS are not sent yet`;
        print(`${feed}: sent up to ${timeOf(place.time)}, ${sent.join(', ') || 'nothing so far'}${behind}`);
      }
    }
    return haveBegun ? EXIT_DONE : EXIT_NOT_BEGUN;
  } finally {
    await nats?.close();
  }
}

async function replay(
  topics: Topics,
  cursors: string,
  ids: Ids,
  { from, feeds }: Extract<FeedCommand, { kind: 'replay' }>,
): Promise<number> {
  await topics.ensure([{ name: cursors, partitions: 1, compacted: true }]);
  for (const feed of feeds) {
    const writer = await topics.open(ids[feed]); // The feed that runs is ended, so what it has sent is known.
    try {
      const place = await placeOf(topics, cursors, ids[feed]);
      if (from === 'next' && (place === undefined || 'replay' in place)) {
        throw new CouldNotLook(`the feed ${feed} has no place to go on from: say start or a time`);
      }
      const next = from === 'next' ? { ...(place as FeedCursor), passesGaps: true as const } : { replay: from };
      await writer.write([cursorRecord(cursors, ids[feed], next, Date.now())]);
    } finally {
      await writer.close();
    }
    say(`${feed}: ${from === 'next' ? 'goes on past what is lost' : `begins again from ${timeOf(from)}`}`);
  }
  return EXIT_DONE;
}

const timeOf = (from: 'start' | number): string => (from === 'start' ? 'the start' : new Date(from).toISOString());
