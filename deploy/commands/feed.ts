// `holdfast feed`: how far the feeds of Kafka have come, and an order to send again. It runs beside the system. A replay takes
// the feed's place in Kafka: whichever process runs it notices, and begins again from there.

import { natsEventSource } from '../../bus/kafka/event-source.js';
import { decodeCursor, type FeedCursor, type Replay } from '../../bus/kafka/feed-cursor.js';
import { cursorTopic, feedIds, topicNames } from '../../bus/kafka/kafka-feeds.js';
import { cursorRecord } from '../../bus/kafka/topic-feed.js';
import type { Topics } from '../../bus/kafka/topics.js';
import { connectNats } from '../../bus/nats/nats.js';
import { systemClock } from '../../bus/system-clock.js';
import { postgresSettlements } from '../../storage/postgres/postgres-settlement.js';
import { CouldNotLook } from '../../storage/verify/verdict.js';
import { connectKafka } from '../feed/kafka.js';
import { BadCommand, type CommandGroup, EXIT, type Given, type Terminal } from './command.js';
import { look, type Place, quiet, say } from './place.js';

export const feedCommands: CommandGroup = {
  name: 'feed',
  summary: 'Show how far the feeds of Kafka have come, or have them send again',
  commands: [
    {
      name: 'status',
      summary: 'Show how far the feeds of Kafka have come',
      about: 'servers',
      examples: [{ line: 'feed status', what: 'what was sent, and what waits' }],
      exits: '0: both have begun; 1: one has not; 2: could not look',
      run: (_given, terminal) => runFeed(terminal, { kind: 'status' }),
    },
    {
      name: 'replay',
      summary: 'Have the feeds send again',
      about: 'servers',
      options: [
        {
          ...{ name: '--from', value: 'WHERE' },
          what: 'start: all that EVENTS has; a time such as 2026-11-21T11:00:00Z: what was stored since; next: go on where it was, past what EVENTS has lost',
        },
        { name: '--feed', value: 'FEED', what: 'one of the two feeds', words: ['events', 'facts'] },
      ],
      examples: [{ line: 'feed replay --from start --feed events', what: 'consumers get every event once more' }],
      exits: '0: it begins again; 2: could not look',
      run: (given, terminal) => runFeed(terminal, readReplay(given, terminal.now())),
    },
  ],
};

type FeedName = 'events' | 'facts';
type FeedCommand =
  | { readonly kind: 'status' }
  | { readonly kind: 'replay'; readonly from: 'start' | 'next' | number; readonly feeds: readonly FeedName[] };

const FEEDS: readonly FeedName[] = ['events', 'facts'];

/** @throws BadCommand */
function readReplay(given: Given, now: number): FeedCommand {
  const [from = '', feed] = [given.text('--from'), given.text('--feed')];
  const feeds = feed === undefined ? FEEDS : FEEDS.filter((name) => name === feed);
  if (from === 'start' || from === 'next') return { kind: 'replay', from, feeds };
  const ms = /^\d{4}-\d\d-\d\d/.test(from) ? Date.parse(from) : Number.NaN;
  if (Number.isNaN(ms)) throw new BadCommand('--from must be start, next or a time such as 2026-11-21T11:00:00Z');
  // Until then nothing would be sent.
  if (ms > now) throw new BadCommand('--from must not be a time that is still to come');
  return { kind: 'replay', from: ms, feeds };
}

async function runFeed(terminal: Terminal, command: FeedCommand): Promise<number> {
  const config = terminal.config();
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
          ? await status(topics, cursors, ids, place, terminal)
          : await replay(topics, cursors, ids, command, terminal);
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

async function status(
  topics: Topics,
  cursors: string,
  ids: Ids,
  { nats: broker }: Place,
  terminal: Terminal,
): Promise<number> {
  const nats = broker && (await connectNats(broker.url, { name: 'holdfast feed', log: quiet }));
  try {
    const source = nats && natsEventSource(nats, systemClock(), quiet);
    const lines: string[] = [];
    const told: object[] = [];
    for (const feed of FEEDS) {
      const place = await placeOf(topics, cursors, ids[feed]);
      if (place === undefined) {
        lines.push(`${feed}: has not begun`);
        told.push({ feed, state: 'not_begun' });
      } else if ('replay' in place) {
        lines.push(`${feed}: is to begin again from ${timeOf(place.replay)}`);
        told.push({ feed, state: 'replay', from: place.replay === 'start' ? 'start' : timeOf(place.replay) });
      } else {
        const sent = Object.entries(place.records).map(([topic, count]) => `${count} to ${topic}`);
        const unread = (await source?.after(place))?.messages;
        const behind = unread === undefined ? '' : `; ${unread} messages of EVENTS are not sent yet`;
        lines.push(`${feed}: sent up to ${timeOf(place.time)}, ${sent.join(', ') || 'nothing so far'}${behind}`);
        told.push({ feed, state: 'sent', up_to: timeOf(place.time), records: place.records, waiting: unread });
      }
    }
    terminal.answer(told, lines);
    return lines.some((line) => line.endsWith('has not begun')) ? EXIT.refused : EXIT.done;
  } finally {
    await nats?.close();
  }
}

async function replay(
  topics: Topics,
  cursors: string,
  ids: Ids,
  { from, feeds }: Extract<FeedCommand, { kind: 'replay' }>,
  terminal: Terminal,
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
  if (terminal.isJson) terminal.answer({ feeds, from: typeof from === 'number' ? timeOf(from) : from }, []);
  return EXIT.done;
}

const timeOf = (from: 'start' | number): string => (from === 'start' ? 'the start' : new Date(from).toISOString());
