/**
 * The one place that knows the Redis driver. Redis never holds the only copy of anything, so a call may simply fail:
 *
 *  C1. Each call ends within limits.cacheCallMs. At most limits.cacheCallsAtOnce calls run at once.
 *  C2. A call does not wait for a connection: without one it fails at once. No call is sent twice.
 *  C3. After a few failures in a row the breaker opens. Calls then fail at once, except a probe now and then.
 *  C4. A silent connection is closed and opened again, without end. One log line reports each change.
 */

import { isIP } from 'node:net';
import { bulkhead, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen, wrap } from 'cockatiel';
import { Redis as Driver } from 'ioredis';
import { limits } from '../../actors/limits.js';
import type { Logger } from '../../actors/ports/runtime.js';

type RedisConnection = Driver;
type BreakerState = 'closed' | 'half-open' | 'open';

export interface Redis {
  /** For libraries that send commands themselves. Use it inside `call`. */
  readonly connection: RedisConnection;
  readonly breaker: BreakerState;
  /** Runs one call under redis.C1 to redis.C3. Rejects with the reason when there is no answer. */
  call<T>(run: (connection: RedisConnection) => Promise<T>): Promise<T>;
  /** Bypasses the breaker; for health checks. */
  ping(): Promise<void>;
  end(): void;
}

const FAILURES = 5;
const PROBE_AFTER_MS = 1_000;
const CONNECT_MS = 2_000;
const RECONNECT_MS = 1_000;

/**
 * @param url redis:// or rediss://, optionally with user, password and database.
 * @param setBy the variable that holds the URL, for log lines.
 */
export function connectRedis(url: string, logger: Logger, setBy = 'its URL'): Redis {
  const target = new URL(url);
  target.search = ''; // The driver would take the URL's parameters as options and override those below.
  const connection = new Driver(target.href, {
    lazyConnect: true,
    connectionName: 'holdfast',
    connectTimeout: CONNECT_MS,
    ...serverName(target),
    socketTimeout: limits.cacheSilenceMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (tries) => (0.5 + Math.random() / 2) * Math.min(RECONNECT_MS, 50 * 2 ** Math.min(tries, 10)),
  });
  let lastError = 'it cannot be reached';
  // Without a listener the driver would print each error.
  let isRefused = false;
  connection.on('error', (error: Error) => {
    lastError = whyNotConnected(error);
    // Redis refuses the user or password. Neither time nor the breaker will change that, so it is logged once.
    if (!/user or password|no password/.test(lastError) || isRefused) return;
    isRefused = true;
    logger.warn({ cause: lastError }, `Redis cannot be used: correct ${setBy}; everything goes on without it`);
  });
  connection.connect().catch(() => {}); // The driver keeps trying.

  const isRedisFault = (error: Error) => error.name !== 'ReplyError';
  const breaker = circuitBreaker(handleWhen(isRedisFault), {
    halfOpenAfter: PROBE_AFTER_MS,
    breaker: new ConsecutiveBreaker(FAILURES),
  });
  let isReported = false;
  breaker.onBreak(() => {
    if (!isReported)
      logger.warn({ cause: lastError }, `Redis (${setBy}) does not answer: everything goes on without it`);
    isReported = true;
  });
  breaker.onReset(() => {
    isReported = false;
    logger.info({}, 'Redis answers again');
  });
  const policy = wrap(bulkhead(limits.cacheCallsAtOnce), breaker);

  return {
    connection,
    get breaker() {
      if (breaker.state === CircuitState.Closed) return 'closed';
      return breaker.state === CircuitState.HalfOpen ? 'half-open' : 'open';
    },
    call: (run) => policy.execute(() => inCallTime(run(connection))),
    ping: async () => void (await connection.ping()),
    end() {
      connection.disconnect();
    },
  };
}

/** The reason in words. Never shows a password. */
function whyNotConnected(error: Error): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (/WRONGPASS|invalid (username|password)/i.test(message)) return 'it refuses this user or password';
  if (/NOAUTH/.test(message)) return 'it wants a user or password';
  if (/password configured|no password is set/i.test(message)) return 'it has no password set, and the URL has one';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'there is no host of this name';
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (/CERT|SIGNATURE/.test(code)) return `its TLS certificate is not accepted: ${message}`;
  return message || code || 'it cannot be reached';
}

/** TLS: a server with several names needs the wanted one (SNI). The driver does not send it. An IP address is no name. */
function serverName({ protocol, hostname }: URL): { readonly tls?: { readonly servername: string } } {
  const isName = isIP(hostname.replace(/^\[|\]$/g, '')) === 0;
  return protocol === 'rediss:' && isName ? { tls: { servername: hostname } } : {};
}

/** Rejects after limits.cacheCallMs. A later answer is ignored. */
function inCallTime<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no answer within ${limits.cacheCallMs} ms`));
    const timer = setTimeout(late, limits.cacheCallMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
