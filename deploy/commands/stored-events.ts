// EVENTS from end to end, for a command that reads it.

import { EVENTS_STREAM } from '../../bus/events/jetstream-events.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { messagesAfter, streamInfo } from '../../bus/nats/streams.js';
import type { EventPages } from '../../storage/verify/public-events.js';
import { type Place, quiet, say } from './place.js';

/**
 * @param use gets nothing where there is no broker, or where nothing was ever published. A broker that cannot be reached
 * is said: without EVENTS the rest is judged all the same.
 */
export async function withStoredEvents<T>(
  { nats: broker }: Place,
  name: string,
  use: (events: EventPages | undefined) => Promise<T>,
): Promise<T> {
  const nats = broker && (await connected(broker.url, name));
  if (nats === undefined) return use(undefined);
  try {
    return await use(async (after) => {
      const messages = await messagesAfter(nats, EVENTS_STREAM, 'events.>', after);
      return messages.map(({ seq, text }) => ({ position: seq, record: text }));
    });
  } finally {
    await nats.close();
  }
}

async function connected(url: string, name: string): Promise<Nats | undefined> {
  let nats: Nats | undefined;
  try {
    nats = await connectNats(url, { name, log: quiet });
    if ((await streamInfo(nats, EVENTS_STREAM)) !== undefined) return nats;
  } catch (error) {
    say(`EVENTS is not judged: ${error instanceof Error ? error.message : String(error)}`);
  }
  await nats?.close();
  return undefined;
}
