// Orders and their payments: deadlines, and who is paid how.

import { integer, matching, oneOf, optional, urlOf, type Values, variable, withoutEndSlashes } from './kinds.js';

export const orderVariables = {
  ORDER_TIMEOUT_S: integer(30, 1, 86_400),
  HOLD_TTL_S: integer(0, 0, 86_400),
  PAYMENT_SUCCESS_RATE: variable(1, 'a number from 0 to 1', (given) =>
    /^(0|1|0?\.\d{1,9}|0\.|1\.0{0,9})$/.test(given) ? Number(given) : undefined,
  ),
  PAYMENT_LATENCY_MS: integer(0, 0, 600_000),
  PAYMENT_CAPTURE: oneOf(['confirm', 'ship'], 'confirm'),
  PAYMENT_URL: optional('a URL such as https://host/v1, without user, query or fragment', (given) =>
    withoutEndSlashes(urlOf(given, /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/)),
  ),
  PAYMENT_KEY: optional('1 to 1000 visible ASCII characters', matching(/^[!-~]{1,1000}$/)),
  PAYMENT_TIMEOUT_MS: integer(10_000, 10, 120_000),
};

export const orderSettings = (env: Values<typeof orderVariables>) => ({
  orderTimeoutMs: env.ORDER_TIMEOUT_S * 1000,
  /** Undefined: the same as orderTimeoutMs. */
  holdTtlMs: env.HOLD_TTL_S === 0 ? undefined : env.HOLD_TTL_S * 1000,
  paymentSuccessRate: env.PAYMENT_SUCCESS_RATE,
  paymentLatencyMs: env.PAYMENT_LATENCY_MS,
  paymentCapture: env.PAYMENT_CAPTURE,
  /** Undefined: the mock. */
  paymentUrl: env.PAYMENT_URL,
  paymentKey: env.PAYMENT_KEY,
  paymentTimeoutMs: env.PAYMENT_TIMEOUT_MS,
});
