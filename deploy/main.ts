#!/usr/bin/env node
// The process: it reads the environment (exit 78 if that has mistakes), runs Holdfast, and stops it on SIGTERM or SIGINT within
// ten seconds. A failure is reported in one sentence, and leaves no process of ours behind.

import './compile-sooner.js';
import { hostname } from 'node:os';
import { assertLimits } from '../actors/limits.js';
import type { Logger } from '../actors/ports/runtime.js';
import { type Config, ConfigError, readConfig } from './config/config.js';
import { Holdfast } from './holdfast.js';
import { createLogger, failedStart, withoutMessage } from './telemetry/logger.js';

const EXIT_CONFIG = 78;
/** After this time the process ends itself, even if a call never returns. */
const LAST_RESORT_MS = 15_000;

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** For a person at a terminal, and for the log where a program reads it. */
function sayFailed(error: unknown, logger: Logger): void {
  const isRead = process.stderr.isTTY;
  if (isRead) process.stderr.write(failedStart(sentence(error)));
  if (isRead && process.stdout.isTTY) return;
  const fields = error instanceof ConfigError ? { mistakes: error.mistakes } : { err: withoutMessage(error) };
  logger.error(fields, sentence(error).replaceAll('\n', ' '));
}

async function main(): Promise<number> {
  let config: Config;
  try {
    assertLimits();
    config = readConfig(process.env);
  } catch (error) {
    sayFailed(error, createLogger({ logLevel: 'info', serviceName: 'holdfast', nodeName: hostname() }));
    return error instanceof ConfigError ? EXIT_CONFIG : 1;
  }
  const logger = createLogger(config);
  const holdfast = config.roles.has('boutique')
    ? new (await import('./boutique/shop-process.js')).ShopProcess(config, logger) // gRPC is loaded only here.
    : new Holdfast(config, logger);
  let isSignalled = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal ends the delay.
      const delayMs = isSignalled ? 0 : config.stopDelayMs;
      if (!isSignalled) logger.info({ signal, delayMs }, 'stopping: finishing what runs, flushing, letting go');
      isSignalled = true;
      setTimeout(() => {
        logger.error({}, 'the stop has not ended in time: ending hard, the next start of this DATA_DIR heals it');
        process.kill(process.pid, 'SIGKILL');
      }, delayMs + LAST_RESORT_MS).unref();
      holdfast.stop(delayMs).catch((error) => logger.error({ cause: sentence(error) }, 'the stop was not clean'));
    });
  }
  process.on('uncaughtException', (error) => {
    logger.error({ err: withoutMessage(error) }, `broken code: ${sentence(error)}`);
    const exit = () => process.exit(1);
    holdfast.crash(error).then(exit, exit);
  });
  let code = 0;
  try {
    await holdfast.run();
  } catch (error) {
    if (!isSignalled) {
      sayFailed(error, logger);
      code = 1;
    }
  }
  try {
    await holdfast.stop();
    if (isSignalled) logger.info({}, 'stopped');
  } catch (error) {
    logger.error({ cause: sentence(error) }, 'the stop was not clean: the next start of this DATA_DIR heals it');
    code = 1;
  }
  return code;
}

process.exitCode = await main();
// A handle that keeps the event loop alive must not keep the process alive.
setTimeout(() => process.exit(), 100).unref();
