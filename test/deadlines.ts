/**
 * How long a test waits before it gives up.
 *
 * Law: a deadline that is not what is tested grows with the machine's slowness, so that a busy machine makes a
 * test late and not wrong. The runner measures the slowness once at its start (run.ts) and hands it down.
 */
import { availableParallelism, loadavg } from 'node:os';
import { until as untilPlainly } from '../deploy/servers/processes.js';

/** What the runner measured: 1 on a machine that has its cores for itself. */
const measured = Math.max(1, Number(process.env.TEST_SLOWNESS ?? 1) || 1);
/** Beyond this a deadline would outlive the file's own. */
const MOST = 12;

/** How many times slower than a machine at rest this one is now. */
const slowness = (): number => Math.min(MOST, Math.max(measured, (loadavg()[0] ?? 0) / availableParallelism()));

/** A deadline, or a time that the product promises: longer on a machine that is busy with more than us. */
export const patientMs = (ms: number): number => Math.ceil(ms * slowness());

/** Asks until it is so, or until the patient deadline has passed; says which. */
export const until = (holds: () => boolean | Promise<boolean>, withinMs: number, everyMs = 20): Promise<boolean> =>
  untilPlainly(holds, patientMs(withinMs), everyMs);
