// A feed of webhooks in a process of its own, as the product wires it, for a test that kills it. SIGTERM stops it, and it prints
// its metrics.
import { Registry } from 'prom-client';
import { connectNats } from '../../../bus/nats/nats.js';
import { systemClock } from '../../../bus/system-clock.js';
import { webhookMeter } from '../../../deploy/telemetry/webhook-metrics.js';
import { webhooksOf } from '../../../deploy/webhooks.js';
import { connectPostgres } from '../../../storage/postgres/postgres.js';

const say = (fields: object, line: string) => process.stderr.write(`${line} ${JSON.stringify(fields)}\n`);
const logger = { debug() {}, info: say, warn: say, error: say };
const registry = new Registry();
const client = connectPostgres(process.env.DATABASE_URL ?? '', { max: 3, log: logger });
const nats = await connectNats(process.env.NATS_URL ?? '', { name: 'webhook feed', log: logger });
const feed = webhooksOf({
  config: { webhookAllow: ['127.0.0.1'], environment: 'production' },
  client,
  nats,
  meter: webhookMeter(registry),
  clock: systemClock(),
  logger,
  pausesMs: Array.from({ length: 200 }, () => 20),
  // Longer than any attempt here.
  leaseMs: 5_000,
});
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
console.log('runs');
await feed.run(stop.signal);
console.log(await registry.metrics());
await Promise.all([nats.close(), client.end()]);
process.exit(0);
