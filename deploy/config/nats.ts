// The broker, and what is answered on it.

import type { authVariables } from './auth.js';
import { integer, listOf, type Mistake, onOrOff, urlOf, type Values, withoutEndSlashes } from './kinds.js';

const brokers = () =>
  listOf('one or more of nats://host:4222 or tls://host:4222', (entry) =>
    urlOf(entry, /^(nats|tls):\/\/[^\s/]+\/?$/, 'nats'),
  );

export const natsVariables = {
  NATS_URL: brokers(),
  NATS_TRIM_URL: brokers(),
  NATS_MONITOR_URL: listOf('one or more of http://host:8222', (entry) =>
    withoutEndSlashes(urlOf(entry, /^https?:\/\/[^\s,]+$/, 'http')),
  ),
  NATS_REPLICAS: integer(1, 1, 5),
  NATS_API: onOrOff,
};

type Env = Values<typeof natsVariables> & Pick<Values<typeof authVariables>, 'AUTH'>;

export const natsSettings = (env: Env) => ({
  /** Empty: none given. */
  natsUrls: env.NATS_URL,
  /** The same brokers as who may trim the journal. Empty: the user of natsUrls may. */
  natsTrimUrls: env.NATS_TRIM_URL,
  natsMonitorUrls: env.NATS_MONITOR_URL,
  natsReplicas: env.NATS_REPLICAS,
  /** Whether the API's reads are answered on NATS: who may publish there may read all. */
  natsApi: (env.NATS_API ?? (env.AUTH === 'off' ? 'on' : 'off')) === 'on',
});

export const natsMistakes = (env: Env): readonly Mistake[] =>
  env.NATS_TRIM_URL.length === 0 || env.NATS_URL.length > 0
    ? []
    : [{ name: 'NATS_URL', allowed: 'set where NATS_TRIM_URL is: both name the same brokers' }];
