// The metrics of backups: what a disaster now would lose, and how long the way back took when it was last tried.

import { Counter, Gauge, type Registry } from 'prom-client';
import type { BackupMeter, Backups } from '../backup/backups.js';

export function backupMeter(registry: Registry): BackupMeter {
  const failures = new Counter({
    name: 'holdfast_backup_failures_total',
    help: 'Steps of backups that failed: dump, archive, upload. Each is tried again.',
    labelNames: ['step'],
    registers: [registry],
  });
  for (const step of ['dump', 'archive', 'upload']) failures.inc({ step }, 0);
  let verdict: { readonly violations: number; readonly since: number } | undefined;
  const gauge = (name: string, help: string, value: (of: NonNullable<typeof verdict>) => number) => {
    const one: Gauge = new Gauge({
      ...{ name, help, registers: [registry] },
      collect: () => (verdict === undefined ? one.remove() : one.set(value(verdict))),
    });
  };
  gauge(
    'holdfast_verify_violations',
    'Violations of the promises that verify found in the last dump; 0: it is clean.',
    (of) => of.violations,
  );
  gauge(
    'holdfast_verify_age_seconds',
    "Time since verify's last verdict.",
    ({ since }) => (performance.now() - since) / 1_000,
  );
  return {
    failed: (step) => failures.inc({ step }),
    judged(violations) {
      verdict = { violations, since: performance.now() };
    },
  };
}

/** Without a dump there is no age: the series is absent then. */
export function watchBackups(
  registry: Registry,
  backups: Pick<Backups, 'ageMs' | 'volume' | 'waiting' | 'unsaved'>,
  everyMs: number,
): void {
  const gauge = (name: string, help: string, value: () => number | undefined | Promise<number | undefined>) => {
    const one: Gauge = new Gauge({
      ...{ name, help, registers: [registry] },
      collect: async () => {
        const now = await value();
        if (now === undefined) one.remove();
        else one.set(now);
      },
    });
  };
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);
  gauge(
    'holdfast_backup_age_seconds',
    'Age of the newest dump that was restored and verified: what a disaster now would lose (RPO).',
    () => seconds(backups.ageMs),
  );
  gauge('holdfast_backup_restore_seconds', 'How long the last restore of a dump took (RTO).', () =>
    seconds(backups.volume.dumps[0]?.restoreMs),
  );
  gauge('holdfast_backup_interval_seconds', 'Time from dump to dump (BACKUP_EVERY_S).', () => everyMs / 1_000);
  gauge(
    'holdfast_backup_unsaved_orders',
    'At most so many orders were acknowledged since the newest verified dump: what a disaster now would lose.',
    async () => (await backups.unsaved())?.orders,
  );
  gauge('holdfast_backup_waiting_archives', 'Archives that are not off-site yet.', () => backups.waiting.length);
}
