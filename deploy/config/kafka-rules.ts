// The rules over the variables of Kafka: those that go together, and those that have no effect alone.
//
// Law: an error names the variable, never the password.

interface KafkaVariables {
  readonly KAFKA_BROKERS: readonly string[];
  readonly KAFKA_TLS: string;
  readonly KAFKA_TLS_CA: string | undefined;
  readonly KAFKA_TLS_CERT: string | undefined;
  readonly KAFKA_TLS_KEY: string | undefined;
  readonly KAFKA_SASL: string;
  readonly KAFKA_SASL_USER: string | undefined;
  readonly KAFKA_SASL_PASSWORD: string | undefined;
}

interface Mistake {
  readonly name: keyof KafkaVariables;
  /** The end of a sentence: "it must be ...". */
  readonly allowed: string;
}

export function kafkaMistakes(env: KafkaVariables): readonly Mistake[] {
  const mistakes: Mistake[] = [];
  const wrong = (name: Mistake['name'], allowed: string) => mistakes.push({ name, allowed });
  const files = ['KAFKA_TLS_CA', 'KAFKA_TLS_CERT', 'KAFKA_TLS_KEY'] as const;
  const given = files.filter((name) => env[name] !== undefined);
  if (env.KAFKA_TLS === 'off' && given.length > 0) wrong('KAFKA_TLS', `on, as ${given.join(' and ')} is set`);
  if (env.KAFKA_TLS_CERT !== undefined && env.KAFKA_TLS_KEY === undefined) {
    wrong('KAFKA_TLS_KEY', 'the file with the key of KAFKA_TLS_CERT');
  }
  if (env.KAFKA_TLS_KEY !== undefined && env.KAFKA_TLS_CERT === undefined) {
    wrong('KAFKA_TLS_CERT', 'the file with the certificate of KAFKA_TLS_KEY');
  }
  const secrets = ['KAFKA_SASL_USER', 'KAFKA_SASL_PASSWORD'] as const;
  for (const name of secrets) {
    if (env.KAFKA_SASL !== 'off' && env[name] === undefined) wrong(name, `set, as KAFKA_SASL is ${env.KAFKA_SASL}`);
  }
  if (env.KAFKA_SASL === 'off' && secrets.some((name) => env[name] !== undefined)) {
    wrong('KAFKA_SASL', 'plain, scram-sha-256 or scram-sha-512, as KAFKA_SASL_USER or KAFKA_SASL_PASSWORD is set');
  }
  if (env.KAFKA_BROKERS.length === 0 && (env.KAFKA_TLS === 'on' || env.KAFKA_SASL !== 'off')) {
    wrong('KAFKA_BROKERS', 'set, as KAFKA_TLS or KAFKA_SASL is');
  }
  return mistakes;
}
