// What leaves the system as events: the streams EVENTS and FEED, and webhooks. Kafka has a file of its own (kafka.ts).

import { isIP } from 'node:net';
import { listOf, oneOf, optionalInteger, type Values } from './kinds.js';

const MIB = 1_048_576;
const HOUR_MS = 3_600_000;

export const eventVariables = {
  FEED: oneOf(['orders', 'all', 'off'], 'orders'),
  FEED_MIB: optionalInteger(16, 10_000_000),
  FEED_AGE_H: optionalInteger(1, 87_600),
  EVENTS_MIB: optionalInteger(64, 16_777_216),
  EVENTS_AGE_H: optionalInteger(1, 87_600),
  EVENTS_PERSONAL: oneOf(['off', 'on'], 'off'),
  WEBHOOK_ALLOW: listOf('host names, addresses or networks such as 10.1.0.0/16', (entry) =>
    isHostOrNetwork(entry) ? entry : undefined,
  ),
};

export const eventSettings = (env: Values<typeof eventVariables>) => ({
  /** What the stream FEED is filled with. */
  feed: env.FEED,
  /** Undefined: as the stream is, or at first the default. */
  feedBytes: times(env.FEED_MIB, MIB),
  feedAgeMs: times(env.FEED_AGE_H, HOUR_MS),
  /** Undefined: the default for a new stream, and what an existing one has. */
  eventsBytes: times(env.EVENTS_MIB, MIB),
  eventsAgeMs: times(env.EVENTS_AGE_H, HOUR_MS),
  /** Whether public events tell e-mail, addresses and notes. */
  eventsPersonal: env.EVENTS_PERSONAL === 'on',
  /** Receivers of webhooks beside the public ones. */
  webhookAllow: env.WEBHOOK_ALLOW,
});

// ---------------------------------------------------------------- machinery

const times = (value: number | undefined, unit: number) => (value === undefined ? undefined : value * unit);

/** A host's name, an address, or a network: an address with the number of its first bits. */
function isHostOrNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.replace(/^\[(.*)\]$/, '$1').split('/');
  const family = isIP(address);
  if (bits === undefined) return family !== 0 || /^(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(address);
  return more.length === 0 && family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32);
}
