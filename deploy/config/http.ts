// HTTP: where this process listens, whom it believes, and how long a client waits.

import { integer, listOf, type Mistake, matching, oneOf, type Values, variable } from './kinds.js';

export const httpVariables = {
  PORT: integer(3000, 0, 65_535),
  INVENTORY_PORT: variable<number | null>(3001, 'a whole number from 0 to 65535, or empty for none', (given) => {
    if (given === 'none') return null;
    return /^\d{1,5}$/.test(given) && Number(given) <= 65_535 ? Number(given) : undefined;
  }),
  HOST: variable('127.0.0.1', 'a host name or an address to listen on', matching(/^[A-Za-z0-9.:_%-]{1,253}$/)),
  CORS_ORIGINS: listOf('* or a list of origins such as https://shop.example', (entry) =>
    entry === '*' || isOrigin(entry) ? entry : undefined,
  ),
  ORDER_WAIT_MS: integer(3000, 0, 60_000),
  RATE_LIMIT: variable<Rate | null>(
    null,
    'off, or requests/seconds such as 100/10: 1 to 1000000 requests in 1 to 3600 seconds',
    (given) => (given.toLowerCase() === 'off' ? null : rateOf(given)),
  ),
  TRUST_PROXY: integer(0, 0, 10),
  PAGE: oneOf(['on', 'off'], 'on'),
};

type Env = Values<typeof httpVariables>;

export const httpMistakes = ({ PORT, INVENTORY_PORT }: Env): readonly Mistake[] =>
  PORT === 0 || PORT !== INVENTORY_PORT
    ? []
    : [{ name: 'INVENTORY_PORT', allowed: 'another port than PORT, or empty for none' }];

export const httpSettings = (env: Env) => ({
  port: env.PORT,
  /** Undefined: no second port. */
  inventoryPort: env.INVENTORY_PORT ?? undefined,
  host: env.HOST,
  /** Empty: no page of another origin may use the API. */
  corsOrigins: env.CORS_ORIGINS,
  orderWaitMs: env.ORDER_WAIT_MS,
  /** Undefined: no limit. */
  rateLimit: env.RATE_LIMIT ?? undefined,
  trustedProxies: env.TRUST_PROXY,
  /** Whether a browser gets the page at `/`. */
  page: env.PAGE === 'on',
});

// ---------------------------------------------------------------- machinery

/** An origin exactly as a browser writes it, because origins are compared as text. */
function isOrigin(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

interface Rate {
  readonly requests: number;
  readonly seconds: number;
}

function rateOf(text: string): Rate | undefined {
  const found = /^(\d{1,7})\/(\d{1,4})$/.exec(text);
  const [requests, seconds] = [Number(found?.[1]), Number(found?.[2])];
  return requests >= 1 && requests <= 1_000_000 && seconds >= 1 && seconds <= 3_600 ? { requests, seconds } : undefined;
}
