// Kafka: its brokers and topics, and how this process is known there.
//
// Law: an error names the variable, never the password.

import {
  integer,
  listOf,
  type Mistake,
  matching,
  oneOf,
  optionalPath,
  optionalText,
  type Values,
  variable,
} from './kinds.js';

export const kafkaVariables = {
  KAFKA_BROKERS: listOf('one or more host:port', matching(/^[^\s:/@]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/)),
  KAFKA_TOPIC_PREFIX: variable(
    'holdfast',
    '1 to 100 letters, digits, dots, hyphens or underscores',
    matching(/^[A-Za-z0-9._-]{1,100}$/),
  ),
  KAFKA_PARTITIONS: integer(6, 1, 1_000),
  KAFKA_REPLICATION: integer(0, 0, 9),
  KAFKA_TLS: oneOf(['off', 'on'], 'off'),
  KAFKA_TLS_CA: optionalPath,
  KAFKA_TLS_CERT: optionalPath,
  KAFKA_TLS_KEY: optionalPath,
  KAFKA_SASL: oneOf(['off', 'plain', 'scram-sha-256', 'scram-sha-512'], 'off'),
  KAFKA_SASL_USER: optionalText,
  KAFKA_SASL_PASSWORD: optionalText,
};

type Env = Values<typeof kafkaVariables>;

const MECHANISMS = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const;

export const kafkaSettings = (env: Env) => ({
  /** Undefined: not used. */
  kafka: env.KAFKA_BROKERS.length === 0 ? undefined : kafkaOf(env),
});

const kafkaOf = (env: Env) => ({
  brokers: env.KAFKA_BROKERS,
  prefix: env.KAFKA_TOPIC_PREFIX,
  partitions: env.KAFKA_PARTITIONS,
  /** Undefined: as the brokers have it. */
  replication: env.KAFKA_REPLICATION === 0 ? undefined : env.KAFKA_REPLICATION,
  /** Paths of files. Undefined: no TLS. */
  tls: env.KAFKA_TLS === 'off' ? undefined : { ca: env.KAFKA_TLS_CA, cert: env.KAFKA_TLS_CERT, key: env.KAFKA_TLS_KEY },
  sasl:
    env.KAFKA_SASL === 'off'
      ? undefined
      : {
          mechanism: MECHANISMS[env.KAFKA_SASL],
          user: env.KAFKA_SASL_USER ?? '',
          password: env.KAFKA_SASL_PASSWORD ?? '',
        },
});

/** The variables that go together, and those that have no effect alone. */
export function kafkaMistakes(env: Env): readonly Mistake[] {
  const mistakes: Mistake[] = [];
  const wrong = (name: keyof Env, allowed: string) => mistakes.push({ name, allowed });
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
