/**
 * The one place that knows the Redis driver. What Redis holds is never the truth, so a call may simply fail:
 *
 *  C1. Each call ends within limits.cacheCallMs, and only so many are under way.
 *  C2. Nothing waits for a connection: without one a call fails at once, and none is ever sent twice.
 *  C3. After a few failures in a row the breaker opens: no call is made, but for one now and then that looks.
 *  C4. A connection that has fallen silent is given up and made anew, for ever, and one line tells of each change.
 */

import { isIP } from 'node:net';
import { bulkhead, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen, wrap } from 'cockatiel';
import { Redis as Driver } from 'ioredis';
import { limits } from '../../actors/limits.js';
import type { Logger } from '../../actors/ports/runtime.js';

type RedisConnection = Driver;
type BreakerState = 'closed' | 'half-open' | 'open';

export interface Redis {
  /** For what speaks to it by itself, inside `call`. */
  readonly connection: RedisConnection;
  readonly breaker: BreakerState;
  /** redis.C1 to redis.C3. Rejects with whatever kept it from an answer. */
  call<T>(run: (connection: RedisConnection) => Promise<T>): Promise<T>;
  /** Past the breaker, for health. */
  ping(): Promise<void>;
  end(): void;
}

const FAILURES = 5;
const LOOK_AGAIN_MS = 1_000;
const CONNECT_MS = 2_000;
const RECONNECT_MS = 1_000;

/**
 * @param url redis:// or rediss://, with user, password and database as they are wanted.
 * @param setBy the variable that has the URL, for complaints.
 */
export function connectRedis(url: string, logger: Logger, setBy = 'its URL'): Redis {
  const target = new URL(url);
  target.search = ''; // Its parameters would be options of the driver, and those are ours.
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
  // Without a hearer the driver would write each one to the screen.
  let isRefused = false;
  connection.on('error', (error: Error) => {
    lastError = whyNotConnected(error);
    // It answers, and with a no: neither time nor the breaker will change that.
    if (!/user or password|no password/.test(lastError) || isRefused) return;
    isRefused = true;
    logger.warn({ cause: lastError }, `Redis cannot be used: correct ${setBy}; everything goes on without it`);
  });
  connection.connect().catch(() => {}); // It goes on trying.

  const isItsFault = (error: Error) => error.name !== 'ReplyError';
  const breaker = circuitBreaker(handleWhen(isItsFault), {
    halfOpenAfter: LOOK_AGAIN_MS,
    breaker: new ConsecutiveBreaker(FAILURES),
  });
  let isTold = false;
  breaker.onBreak(() => {
    if (!isTold) logger.warn({ cause: lastError }, `Redis (${setBy}) does not answer: everything goes on without it`);
    isTold = true;
  });
  breaker.onReset(() => {
    isTold = false;
    logger.info({}, 'Redis answers again');
  });
  const policy = wrap(bulkhead(limits.cacheCallsAtOnce), breaker);

  return {
    connection,
    get breaker() {
      if (breaker.state === CircuitState.Closed) return 'closed';
      return breaker.state === CircuitState.HalfOpen ? 'half-open' : 'open';
    },
    call: (run) => policy.execute(() => inTime(run(connection))),
    ping: async () => void (await connection.ping()),
    end() {
      connection.disconnect();
    },
  };
}

/** In words; never a password. */
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

/** Over TLS: who answers for many names must be told which one is meant. The driver does not; an address is no name. */
function serverName({ protocol, hostname }: URL): { readonly tls?: { readonly servername: string } } {
  const isName = isIP(hostname.replace(/^\[|\]$/g, '')) === 0;
  return protocol === 'rediss:' && isName ? { tls: { servername: hostname } } : {};
}

/** Who is late is not heard any more. */
function inTime<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no answer within ${limits.cacheCallMs} ms`));
    const timer = setTimeout(late, limits.cacheCallMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
