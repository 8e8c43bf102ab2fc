// The filler of FEED as a process of its own, which a test kills. It takes NATS_URL, and FEED: `orders` or all.

import { feedStream } from '../../../bus/feed-stream/feed-filler.js';
import { connectNats } from '../../../bus/nats/nats.js';
import { untilAnswered } from '../../../bus/retry.js';
import { systemClock } from '../../../bus/system-clock.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const clock = systemClock();
const connected = () => connectNats(process.env.NATS_URL ?? '', { name: 'a filler', log: quiet });
const nats = await untilAnswered(clock, () => false, connected);
const size = { replicas: 1, bytes: undefined, ageMs: undefined };
const feed = feedStream({
  nats,
  kinds: process.env.FEED === 'orders' ? 'orders' : 'all',
  clock,
  logger: quiet,
  ...size,
});
await feed.run(new AbortController().signal);
