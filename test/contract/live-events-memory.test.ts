/** Live events over the twin in memory. */
import { memorySource } from '../../bus/live/memory-source.js';
import { everyLiveEvents } from './live-events.suite.js';

everyLiveEvents('memory', async () => {
  const source = memorySource(() => Date.now());
  return {
    source,
    publish: async (journal, turn, batch) => source.publish(journal, turn, batch),
    async expire() {
      source.messages = [];
    },
    end: async () => {},
  };
});
