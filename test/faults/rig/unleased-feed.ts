// A process that feeds Kafka without a lease, as one does that has lost it and does not know yet.

import { connectNats } from '../../../bus/nats/nats.js';
import { systemClock } from '../../../bus/system-clock.js';
import { readConfig } from '../../../deploy/config/config.js';
import { FeedRunner } from '../../../deploy/feed/feed-runner.js';
import { kafkaFeedsOf } from '../../../deploy/feed/kafka.js';
import { memoryLeases } from '../../../storage/memory/memory-leases.js';
import { connectPostgres } from '../../../storage/postgres/postgres.js';
import { postgresSettlements } from '../../../storage/postgres/postgres-settlement.js';
import { postgresSnapshots } from '../../../storage/snapshots/snapshots.js';

const config = readConfig(process.env);
const say = (fields: object, line: string) => void process.stdout.write(`${line} ${JSON.stringify(fields)}\n`);
const logger = { debug() {}, info: say, warn: say, error: say };
const clock = systemClock();
const client = connectPostgres(config.databaseUrl ?? '', { max: 2, log: logger });
const nats = await connectNats(config.natsUrls.join(','), { name: 'feed without a lease', log: logger });
const settlement = await postgresSettlements(client).settled();
if (settlement === undefined) throw new Error('nothing was ever started on this database');
const snapshots = postgresSnapshots(client);
const feeds = kafkaFeedsOf(config, { nats, snapshots, settlement }, { tracing: undefined, clock, logger });
new FeedRunner({ feeds, leases: memoryLeases(), retentionUsed: () => 0, clock, logger }).start();
