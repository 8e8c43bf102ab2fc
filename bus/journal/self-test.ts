/**
 * Tries at the start whether the broker keeps compare-and-set: that a journal has one writer, and a partition one owner, rests
 * on nothing else.
 *
 * Law: of all appends at one position at most one is taken, whether they come one by one or together. The trial has a log
 * of its own and leaves one record in it, or some where it cannot be trimmed: that is said, and keeps no node from its start.
 * Other nodes may be trying at the same time. A log that is full is not tried.
 */
import type { JournalId } from '../../actors/ids.js';
import { journalLog } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { pause } from '../retry.js';

/** No incarnation has such a name. */
const TRIAL_LOG = journalLog('self-test' as JournalId);
/** Without an answer, or with another node in between. */
const TRIES = 12;

class BrokenCompareAndSet extends Error {
  override readonly name = 'BrokenCompareAndSet';
}

/** @throws BrokenCompareAndSet, or the last error where no try came to its end */
export async function tryCompareAndSet(log: Log, clock: Clock, logger: Logger): Promise<void> {
  let failure: unknown;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    try {
      const verdict = await tryOnce(log, () => clock.id(), logger);
      if (verdict === 'full')
        logger.warn({}, 'the journal is full: whether the broker keeps compare-and-set was not tried');
      if (verdict !== 'again') return;
      failure = new Error('other nodes were always faster');
    } catch (error) {
      if (error instanceof BrokenCompareAndSet) throw error;
      failure = error;
    }
    await pause(clock, attempt);
  }
  throw new Error(`The broker did not show that it keeps compare-and-set: ${String(failure)}. Start again.`);
}

// ---------------------------------------------------------------- machinery

async function tryOnce(log: Log, newId: () => string, logger: Logger): Promise<'kept' | 'full' | 'again'> {
  const records: string[] = [];
  const put = (after: Position) => {
    const record = JSON.stringify({ trial: newId() });
    records.push(record);
    return log.append(TRIAL_LOG, after, record, { urgent: true });
  };
  const start = await log.end(TRIAL_LOG);
  const first = await put(start);
  if (first.kind !== 'appended') return first.kind === 'full' ? 'full' : 'again';
  const late = await put(start);
  if (late.kind === 'appended') throw broken('one after the other');
  await Promise.allSettled([put(first.position), put(first.position), put(first.position)]);
  const behind = await log.read(TRIAL_LOG, first.position);
  if (behind.filter(({ record }) => records.includes(record)).length > 1) throw broken('at once');
  await log.trim(TRIAL_LOG, Number.MAX_SAFE_INTEGER).catch((error: unknown) => {
    logger.warn({ cause: String(error) }, 'the journal could not be trimmed: it is tried again');
  });
  return late.kind === 'conflict' ? 'kept' : late.kind;
}

const broken = (how: string) =>
  new BrokenCompareAndSet(
    `The broker does not keep compare-and-set: it took two appends at the same position, sent ${how}. On it two nodes would ` +
      'both own everything. Let NATS_URL name nats-servers of 2.10.19 or newer, with nothing in between that answers for them.',
  );
