// Where words go: one JSON line each through pino; on a terminal the same line for people. The log is
// never what an order waits for.

import { Writable } from 'node:stream';
import pino from 'pino';
import type { Logger } from '../../actors/ports/runtime.js';
import type { Config } from '../config/config.js';

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** Nobody logs a request's headers; should somebody, what says who he is stays out. */
const CREDENTIALS = ['authorization', '*.authorization', '*.headers.authorization'];

export function createLogger(config: Pick<Config, 'logLevel' | 'serviceName' | 'nodeName'>): Logger {
  const options: pino.LoggerOptions = {
    level: config.logLevel,
    base: { service: config.serviceName, node: config.nodeName },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: CREDENTIALS, censor: '***' },
  };
  return process.stdout.isTTY ? pino(options, forPeople()) : pino(options, pino.destination({ fd: 1, sync: true }));
}

function forPeople(): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      const {
        level,
        time,
        msg,
        service: _s,
        node: _n,
        ...fields
      } = JSON.parse(String(chunk)) as Record<string, unknown>;
      const more = Object.entries(fields).map(
        ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      );
      process.stdout.write(
        `${String(time).slice(11, 23)} ${(LEVELS[Number(level)] ?? '').padEnd(5)} ${String(msg)}${more.join('')}\n`,
        done,
      );
    },
  });
}
