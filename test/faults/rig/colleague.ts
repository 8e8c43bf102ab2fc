// A service of somebody else with a durable consumer of FEED, made with nats.js as NATS.md shows it: it takes each event once, by
// its id, and the next one when this one is acknowledged.

import { setTimeout as pause } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';

const AGAIN_MS = 50;

interface Wanted {
  /** The subjects of FEED that it takes. */
  readonly filter: string;
  /** An acknowledgement that takes longer is lost, and the event comes again. */
  readonly ackMs: number;
}

export class Colleague {
  /** The events in the order in which they came, each once. */
  readonly seen: { readonly id: string; readonly type: string }[] = [];
  private readonly known = new Set<string>();
  private readonly over = new AbortController();
  private readonly following: Promise<void>;

  /** @param url one or more brokers, as in NATS_URL, of a user who may make a consumer */
  constructor(
    url: string,
    private readonly wanted: Wanted,
  ) {
    this.following = this.follow(url);
  }

  hasSeen(id: string): boolean {
    return this.known.has(id);
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.following;
  }

  // -------------------------------------------------------------- machinery

  private async follow(url: string): Promise<void> {
    const urls = url.split(',').map((each) => new URL(each));
    const { username: user = '', password: pass = '' } = urls[0] ?? {};
    const servers = urls.map(({ host }) => host);
    const nc = await connect({
      ...{ servers, user, pass, maxReconnectAttempts: -1, reconnectTimeWait: 100 },
      ...{ pingInterval: 1_000, maxPingOut: 2 },
    });
    try {
      while (!this.over.signal.aborted) await this.take(nc).catch(() => pause(AGAIN_MS)); // The broker is away.
    } finally {
      await nc.close();
    }
  }

  private async take(nc: NatsConnection): Promise<void> {
    const { filter, ackMs } = this.wanted;
    const jsm = await jetstreamManager(nc);
    await jsm.consumers.add('FEED', {
      ...{ durable_name: 'colleague', ack_policy: 'explicit', filter_subject: filter },
      ...{ max_ack_pending: 1, ack_wait: ackMs * 1_000_000 },
    });
    const consumer = await jetstream(nc).consumers.get('FEED', 'colleague');
    for await (const message of await consumer.fetch({ max_messages: 200, expires: 1_000 })) {
      const told = (name: string) => decodeURIComponent(message.headers?.get(name) ?? '');
      const [id, type] = [told('ce-id'), told('ce-type')];
      if (!this.known.has(id)) this.seen.push({ id, type });
      this.known.add(id);
      message.ack();
    }
  }
}
