/** Live events over EVENTS on a real JetStream. */
import type { JournalId } from '../../actors/ids.js';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { jetstreamSource } from '../../bus/live/jetstream-source.js';
import { connectNats } from '../../bus/nats/nats.js';
import { systemClock } from '../../bus/system-clock.js';
import { realNats } from '../servers/real-servers.js';
import { everyLiveEvents } from './live-events.suite.js';

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const server = await realNats();
if ('skipped' in server) {
  console.log(`SKIP ${server.skipped}`);
} else {
  const nats = await connectNats(server.url, { name: 'live events', log: logger });
  const last = new Map<JournalId, { position: number; turn: number }>();
  everyLiveEvents('EVENTS', async () => {
    const events = await jetstreamEvents(nats, { replicas: 1 });
    return {
      source: jetstreamSource({ nats, clock: systemClock(), logger }),
      async publish(journal, turn, batch) {
        const { position, turn: previous } = last.get(journal) ?? { position: 0, turn: 0 };
        const answer = await events.publish(journal, position, turn, batch, { previous });
        if (answer.kind !== 'appended') throw new Error(`not published but ${answer.kind}`);
        last.set(journal, { position: answer.position, turn });
      },
      async expire() {
        await nats.api('STREAM.PURGE.EVENTS', {});
        for (const [journal, { turn }] of last) last.set(journal, { position: 0, turn });
      },
      async end() {
        await nats.close();
        await server.stop();
      },
    };
  });
}
