/**
 * The link between nodes on core NATS: one subject an address, without JetStream. Stored copies would be stale, and
 * would cost a sync to disk beside the journal's. To read along: `nats sub 'holdfast.>'`.
 */
import type { Nats } from '../nats/nats.js';
import type { PeerLink } from './peer-link.js';

/** Everything of one system stands under one token: several systems may share a broker. */
export const systemSubject = (system: string, rest: string): string => `holdfast.${system}.${rest}`;

export function natsLink(nats: Nats, system: string): PeerLink {
  const subjectOf = (address: string) => systemSubject(system, `in.${address}`);
  return {
    get mostBytes() {
      return nats.maxPayload;
    },
    to(address, nobody) {
      const sender = nats.sender(subjectOf(address), nobody);
      return { send: (text) => void sender.send(text), close: () => sender.close() };
    },
    listen: (address, take) => nats.subscribe(subjectOf(address), (text) => take(text)),
  };
}
