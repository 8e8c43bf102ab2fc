// Reads the environment, once. Law: configuration comes from here and nowhere else. All mistakes are reported together,
// each in a sentence with the variable, the given value and the allowed values. A value that may hold a password is never
// repeated. A wrong value is never replaced by a default.
//
// A variable has a line in the file of its theme, and what it becomes has another there. It is explained in .env.example
// and in OPERATING. A secret is named in SECRETS.

import { z } from 'zod';
import { archiveMistakes, archiveSettings, archiveVariables } from './archive.js';
import { authMistakes, authSettings, authVariables } from './auth.js';
import { backupMistakes, backupSettings, backupVariables } from './backup.js';
import { boutiqueMistakes, boutiqueSettings, boutiqueVariables } from './boutique.js';
import { eventSettings, eventVariables } from './events.js';
import { httpMistakes, httpSettings, httpVariables } from './http.js';
import { kafkaMistakes, kafkaSettings, kafkaVariables } from './kafka.js';
import { natsMistakes, natsSettings, natsVariables } from './nats.js';
import { nodeMistakes, nodeSettings, nodeVariables } from './node.js';
import { orderSettings, orderVariables } from './orders.js';
import { productionMistakes } from './production-rules.js';
import { storeMistakes, storeSettings, storeVariables } from './stores.js';
import { tracingMistakes, tracingSettings, tracingVariables } from './tracing.js';

const schema = z
  .object({
    ...httpVariables,
    ...nodeVariables,
    ...storeVariables,
    ...natsVariables,
    ...eventVariables,
    ...kafkaVariables,
    ...orderVariables,
    ...authVariables,
    ...backupVariables,
    ...archiveVariables,
    ...tracingVariables,
    ...boutiqueVariables,
  })
  .superRefine(
    (env, context) => {
      const broken = [
        authMistakes,
        productionMistakes,
        kafkaMistakes,
        httpMistakes,
        nodeMistakes,
        storeMistakes,
        natsMistakes,
        backupMistakes,
        archiveMistakes,
        tracingMistakes,
        boutiqueMistakes,
      ];
      for (const { name, allowed } of broken.flatMap((mistakesIn) => mistakesIn(env))) {
        context.issues.push({ code: 'custom', path: [name], message: allowed, input: env, continue: true });
      }
    },
    { when: () => true },
  )
  .transform((env) => ({
    ...httpSettings(env),
    ...nodeSettings(env),
    ...storeSettings(env),
    ...natsSettings(env),
    ...eventSettings(env),
    ...kafkaSettings(env),
    ...orderSettings(env),
    ...authSettings(env),
    ...backupSettings(env),
    ...archiveSettings(env),
    ...tracingSettings(env),
    ...boutiqueSettings(env),
  }));

export type Config = Readonly<z.output<typeof schema>>;

/** Every variable but SERVER_PORT, the other name of PORT. */
export const VARIABLES: readonly string[] = Object.keys(schema.in.shape);

/** Never shown, not even in part. */
const SECRETS = ['PAYMENT_KEY', 'ADMIN_KEY', 'PGPASSWORD', 'KAFKA_SASL_PASSWORD', 'OTEL_EXPORTER_OTLP_HEADERS'];

/** Ends the start with exit code 78. `mistakes` has one sentence for each mistake. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly mistakes: readonly string[]) {
    super(
      `The environment has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.join('\n')}`,
    );
  }
}

/** The value without user and password, whether before an `@` or in a parameter. */
export function withoutSecrets(value: string): string {
  return value
    .replace(/^([a-z]+:\/\/)?.*@/i, '$1***@')
    .replace(/((?:password|passwd|token|secret|key)[^=&\s]*=)[^&\s]*/gi, '$1***');
}

/** Reads every variable, or throws a ConfigError with every mistake. Empty means unset, except for INVENTORY_PORT. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given: Record<string, string> = {};
  for (const name of VARIABLES) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== '') given[name] = value;
  }
  const port = given.PORT === undefined ? env.SERVER_PORT?.trim() : undefined;
  if (port !== undefined && port !== '') given.PORT = port;

  if (env.INVENTORY_PORT?.trim() === '') given.INVENTORY_PORT = 'none';

  const read = schema.safeParse(given);
  if (!read.success) {
    throw new ConfigError(
      read.error.issues.map((issue) => {
        const name = String(issue.path[0] ?? '');
        const value = given[name];
        const shown = name === 'PORT' && port !== undefined && port !== '' ? 'SERVER_PORT' : name;
        const said = SECRETS.includes(name) ? 'a secret' : `"${withoutSecrets(value ?? '').slice(0, 100)}"`;
        const was = value === undefined ? 'not set' : said;
        return `${shown} is ${was}; it must be ${issue.message}.`;
      }),
    );
  }
  return read.data;
}
