// A feed of webhooks in a process of its own, as the product wires it, for a test that kills it. It sends under its SENDER as
// User-Agent, with LEASED=on only while it has the lease. SIGTERM stops it, and it prints its metrics.
import { Registry } from 'prom-client';
import { connectNats } from '../../../bus/nats/nats.js';
import { systemClock } from '../../../bus/system-clock.js';
import { FeedRunner } from '../../../deploy/feed/feed-runner.js';
import { webhookMeter } from '../../../deploy/telemetry/webhook-metrics.js';
import { webhooksOf } from '../../../deploy/webhooks.js';
import { memoryLeases } from '../../../storage/memory/memory-leases.js';
import { connectPostgres } from '../../../storage/postgres/postgres.js';
import { postgresLeases } from '../../../storage/postgres/postgres-leases.js';

const { SENDER = '', LEASED } = process.env;
const say = (fields: object, line: string) => process.stdout.write(`${SENDER}: ${line} ${JSON.stringify(fields)}\n`);
const logger = { debug() {}, info: say, warn: say, error: say };
const clock = systemClock();
const registry = new Registry();
const client = connectPostgres(process.env.DATABASE_URL ?? '', { max: 3, log: logger });
const nats = await connectNats(process.env.NATS_URL ?? '', { name: 'webhook feed', log: logger });
const feed = webhooksOf({
  config: { webhookAllow: ['127.0.0.1'], environment: 'production' },
  client,
  nats,
  meter: webhookMeter(registry),
  agent: SENDER,
  clock,
  logger,
  pausesMs: Array.from({ length: 200 }, () => 20),
  // Longer than any attempt here.
  leaseMs: 5_000,
});
const leases = LEASED === 'on' ? postgresLeases(client, clock) : memoryLeases();
const runner = new FeedRunner({ feeds: [feed], leases, retentionUsed: () => 0, clock, logger });
runner.start();
await new Promise((resolve) => process.once('SIGTERM', resolve));
await runner.stop();
console.log(await registry.metrics());
await Promise.all([nats.close(), client.end()]);
process.exit(0);
