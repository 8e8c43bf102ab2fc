/**
 * How long a test waits before it gives up.
 *
 * Law: a deadline that is not itself tested grows with the slowness of the machine, so that a busy machine makes
 * a test slower and not red. The runner measures the slowness once and passes it on in TEST_SLOWNESS (run.ts).
 */
import { availableParallelism, loadavg } from 'node:os';
import { until as untilPlainly } from '../deploy/servers/processes.js';

/** The runner's measurement: 1 on an idle machine. */
const measured = Math.max(1, Number(process.env.TEST_SLOWNESS ?? 1) || 1);
/** With a larger factor a deadline would be longer than that of the whole test file. */
const MOST = 12;

/** How many times slower than an idle machine this one is now. */
const slowness = (): number => Math.min(MOST, Math.max(measured, (loadavg()[0] ?? 0) / availableParallelism()));

/** Scales a deadline, or a time that the product promises, to a machine that is busy with other work. */
export const patientMs = (ms: number): number => Math.ceil(ms * slowness());

/** Repeats `holds` until it is true or the scaled deadline has passed. @returns whether it became true. */
export const until = (holds: () => boolean | Promise<boolean>, withinMs: number, everyMs = 20): Promise<boolean> =>
  untilPlainly(holds, patientMs(withinMs), everyMs);
