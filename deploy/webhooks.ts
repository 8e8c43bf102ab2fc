// Wires webhooks: the guard that the edge and the feed share, and the feed itself.

import type { Feed } from '../actors/ports/feeds.js';
import type { Clock, Logger } from '../actors/ports/runtime.js';
import type { Tracing } from '../actors/ports/tracing.js';
import type { Nats } from '../bus/nats/nats.js';
import { tracedPoster } from '../bus/tracing/traced-ports.js';
import { guardedPoster } from '../bus/webhooks/post.js';
import { type TargetGuard, targetGuard } from '../bus/webhooks/target-guard.js';
import { webhookFeed } from '../bus/webhooks/webhook-feed.js';
import type { WebhookMeter } from '../bus/webhooks/webhook-meter.js';
import type { SenderParts } from '../bus/webhooks/webhook-sender.js';
import type { PostgresClient } from '../storage/postgres/postgres.js';
import { postgresWebhookQueue } from '../storage/postgres/postgres-webhook-queue.js';
import type { Config } from './config/config.js';
import { version } from './version.js';

export const webhookGuard = ({
  webhookAllow,
  environment,
}: Pick<Config, 'webhookAllow' | 'environment'>): TargetGuard =>
  targetGuard({ allow: webhookAllow, httpsOnly: environment === 'production' });

interface Parts extends Pick<SenderParts, 'pausesMs' | 'leaseMs'>, Partial<Pick<SenderParts, 'agent'>> {
  readonly config: Pick<Config, 'webhookAllow' | 'environment'>;
  readonly client: PostgresClient;
  readonly nats: Nats;
  readonly meter: WebhookMeter;
  readonly tracing?: Tracing | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function webhooksOf({ config, client, tracing, ...parts }: Parts): Feed {
  const poster = guardedPoster(webhookGuard(config));
  return webhookFeed({
    agent: `Holdfast/${version}`,
    ...parts,
    queue: postgresWebhookQueue(client),
    poster: tracing === undefined ? poster : tracedPoster(poster, tracing, parts.clock),
  });
}
