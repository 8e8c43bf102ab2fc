// Where words go: one JSON line each through pino, for machines; on a terminal a line for people. The log is never what an
// order waits for.

import { Writable } from 'node:stream';
import pino from 'pino';
import type { Logger } from '../../actors/ports/runtime.js';
import type { Config } from '../config/config.js';

/** Nobody logs a request's headers; should somebody, what says who he is stays out. */
const CREDENTIALS = ['authorization', '*.authorization', '*.headers.authorization'];

export function createLogger(
  config: Pick<Config, 'logLevel' | 'serviceName' | 'nodeName'>,
  /** Undefined: standard output. */
  out?: NodeJS.WritableStream,
): Logger {
  const options: pino.LoggerOptions = {
    level: config.logLevel,
    base: { service: config.serviceName, node: config.nodeName },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
    redact: { paths: CREDENTIALS, censor: '***' },
  };
  if (out !== undefined) return pino(options, out);
  return process.stdout.isTTY ? pino(options, forPeople()) : pino(options, pino.destination({ fd: 1, sync: true }));
}

function forPeople(): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      process.stdout.write(lineForPeople(String(chunk)), done);
    },
  });
}

/** @param json one line of the log. The words come first, then what else is known; a stack stands below. */
export function lineForPeople(json: string): string {
  const { level, time, msg, err, service: _s, node: _n, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const more = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const { stack } = (err ?? {}) as { stack?: string };
  const below = stack === undefined ? '' : `${stack.replace(/^/gm, '    ')}\n`;
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}${more.join('')}\n${below}`;
}

/** A sentence a line, for a terminal: what is wrong first, then the ways out. */
export function failedStart(message: string): string {
  const sentences = message.split(/\n|(?<=[.?!]) (?=[A-Z])/);
  return `\nHoldfast did not start.\n${sentences.map((sentence) => `  ${sentence}\n`).join('')}\n`;
}
