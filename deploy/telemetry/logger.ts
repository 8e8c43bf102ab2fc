// The log: JSON lines through pino for machines, plain lines on a terminal for people. No order waits for the access log.
//
// Law: a file descriptor has one writer. Two would tear each other's lines where a pipe is full.

import { Writable } from 'node:stream';
import pino from 'pino';
import type { Logger } from '../../actors/ports/runtime.js';
import type { Config } from '../config/config.js';

const ACCESS_LOG_BYTES = 4 * 1024 * 1024;
const TELL_DROPPED_MS = 1_000;
/** No code logs a request's headers. If some code ever does, credentials stay out of the log. */
const CREDENTIALS = ['authorization', '*.authorization', '*.headers.authorization'];

type LogConfig = Pick<Config, 'logLevel' | 'serviceName' | 'nodeName'> & Partial<Pick<Config, 'logFormat'>>;

export function createLogger(
  config: LogConfig & Partial<Pick<Config, 'accessLog'>>,
  /** Another stream or file descriptor than standard output, for tests. */
  out: NodeJS.WritableStream | number = STDOUT,
): Logger {
  const options = optionsOf(config);
  if (typeof out !== 'number') return pino(options, out);
  if (isForPeople(out)) return pino(optionsOf({ ...config, logFormat: 'holdfast' }), forPeople());
  return pino(options, config.accessLog ? backlogOf(out).out : pino.destination({ fd: out, sync: true }));
}

/** A line for every request must not slow any: it waits in memory until it is written, and is dropped where too many wait. */
export function createAccessLog(
  config: LogConfig,
  logger: Pick<Logger, 'warn'>,
  /** A file descriptor, for tests. */
  fd = STDOUT,
): Logger {
  const options = optionsOf({ ...config, logLevel: config.logLevel === 'silent' ? 'silent' : 'info' });
  if (isForPeople(fd)) return pino(optionsOf({ ...config, logFormat: 'holdfast' }), forPeople());
  const backlog = backlogOf(fd);
  let dropped = 0;
  const drop = () => {
    if (dropped++ > 0) return;
    setTimeout(() => {
      logger.warn({ dropped }, 'lines of the access log were dropped: whoever reads it is too slow');
      dropped = 0;
    }, TELL_DROPPED_MS).unref();
  };
  return pino(options, {
    write: (line: string) => {
      if (backlog.bytes + line.length > ACCESS_LOG_BYTES) drop();
      else backlog.out.write(line);
    },
  });
}

/** Fields as the services of Online Boutique have them, so that one query reads all logs of a shop. */
const AS_SHOPS_LOG: pino.LoggerOptions = {
  messageKey: 'message',
  timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
  formatters: { level: (level) => ({ severity: level }) },
};

const STDOUT = 1;
const isForPeople = (fd: number): boolean => fd === STDOUT && process.stdout.isTTY;

/** Lines on their way to a file descriptor. pino writes the rest when the process exits. */
interface Backlog {
  readonly out: ReturnType<typeof pino.destination>;
  /** Not yet written. */
  bytes: number;
}

const backlogs = new Map<number, Backlog>();

function backlogOf(fd: number): Backlog {
  const known = backlogs.get(fd);
  if (known !== undefined) return known;
  const out = pino.destination({ fd, sync: false });
  const write = out.write.bind(out);
  const backlog = { out, bytes: 0 };
  out.write = (line: string) => {
    backlog.bytes += Buffer.byteLength(line);
    return write(line);
  };
  out.on('write', (bytes: number) => {
    backlog.bytes -= bytes;
  });
  backlogs.set(fd, backlog);
  return backlog;
}

const optionsOf = ({ logLevel, serviceName, nodeName, logFormat }: LogConfig): pino.LoggerOptions => ({
  level: logLevel,
  base: { service: serviceName, node: nodeName },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (level) => ({ level }) },
  ...(logFormat === 'boutique' && AS_SHOPS_LOG),
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
