/** Topics on a real Kafka, read by Kafka's own client. */
import { kafkaTopics } from '../../bus/kafka/kafka-topics.js';
import { CommittedRecords } from '../servers/committed-records.js';
import { realKafka } from '../servers/real-kafka.js';
import { TOPICS, topicsContract } from './topics.suite.js';

const READ_MS = 20_000;

const kafka = await realKafka();
if ('skipped' in kafka) console.log(`SKIP topics on Kafka: ${kafka.skipped}`);
else {
  const read = await CommittedRecords.of(kafka, [TOPICS.many]);
  const access = {
    brokers: [kafka.broker],
    clientId: 'contract',
    tls: undefined,
    sasl: undefined,
    replication: undefined,
  };
  topicsContract(
    'Kafka',
    () => kafkaTopics(access),
    async (count) => {
      if (!(await read.atLeast(count, READ_MS))) throw new Error(`${read.records.length} of ${count} records came`);
      return read.records;
    },
    async () => {
      await read.stop();
      await kafka.stop();
    },
  );
}
