// The log: JSON lines through pino for machines, plain lines on a terminal for people. No order waits for the log.

import { Writable } from 'node:stream';
import pino from 'pino';
import type { Logger } from '../../actors/ports/runtime.js';
import type { Config } from '../config/config.js';

/** No code logs a request's headers. If some code ever does, credentials stay out of the log. */
const ACCESS_LOG_BYTES = 4 * 1024 * 1024;
const TELL_DROPPED_MS = 1_000;
const CREDENTIALS = ['authorization', '*.authorization', '*.headers.authorization'];

export function createLogger(
  config: Pick<Config, 'logLevel' | 'serviceName' | 'nodeName'>,
  /** Undefined: standard output. */
  out?: NodeJS.WritableStream,
): Logger {
  const options = optionsOf(config);
  if (out !== undefined) return pino(options, out);
  return process.stdout.isTTY ? pino(options, forPeople()) : pino(options, pino.destination({ fd: 1, sync: true }));
}

/** A line for every request must not slow any: it waits in memory until it is written, and is dropped where too many wait. */
export function createAccessLog(
  config: Pick<Config, 'logLevel' | 'serviceName' | 'nodeName'>,
  logger: Pick<Logger, 'warn'>,
  /** A file descriptor, for tests. */
  fd = 1,
): Logger {
  const options = optionsOf({ ...config, logLevel: config.logLevel === 'silent' ? 'silent' : 'info' });
  if (fd === 1 && process.stdout.isTTY) return pino(options, forPeople());
  const out = pino.destination({ fd, sync: false, maxLength: ACCESS_LOG_BYTES });
  let dropped = 0;
  out.on('drop', () => {
    if (dropped++ > 0) return;
    setTimeout(() => {
      logger.warn({ dropped }, 'lines of the access log were dropped: whoever reads it is too slow');
      dropped = 0;
    }, TELL_DROPPED_MS).unref();
  });
  return pino(options, out);
}

const optionsOf = ({
  logLevel,
  serviceName,
  nodeName,
}: Pick<Config, 'logLevel' | 'serviceName' | 'nodeName'>): pino.LoggerOptions => ({
  level: logLevel,
  base: { service: serviceName, node: nodeName },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (level) => ({ level }) },
  redact: { paths: CREDENTIALS, censor: '***' },
});

function forPeople(): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      process.stdout.write(lineForPeople(String(chunk)), done);
    },
  });
}

/** @param json one line of the log. The message comes first, then the other fields, then the stack on lines of its own. */
export function lineForPeople(json: string): string {
  const { level, time, msg, err, service: _s, node: _n, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const more = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const { stack } = (err ?? {}) as { stack?: string };
  const below = stack === undefined ? '' : `${stack.replace(/^/gm, '    ')}\n`;
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}${more.join('')}\n${below}`;
}

/** The error's type, stack and cause, for a line of the log that has its message already. */
export function withoutMessage(error: unknown): object {
  if (!(error instanceof Error)) return {};
  const { name, cause, stack = '' } = error;
  const frames = stack.split('\n').filter((line) => /^ +at /.test(line));
  return { type: name, stack: frames.join('\n'), ...(cause === undefined ? {} : { cause: String(cause) }) };
}

/** One sentence on each line, for a terminal: first the fault, then what to do about it. */
export function failedStart(message: string): string {
  const sentences = message.split(/\n|(?<=[.?!]) (?=[A-Z])/);
  return `\nHoldfast did not start.\n${sentences.map((sentence) => `  ${sentence}\n`).join('')}\n`;
}
