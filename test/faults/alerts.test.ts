// The alerts that wake somebody up, each seen firing: a real Prometheus with the rules of deploy/observe scrapes a real system, in
// which what the alert is about is broken. The rules' time runs faster: every duration in them is a fortieth.

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { changeStream, streamInfo } from '../../bus/nats/streams.js';
import { freePort } from '../../deploy/servers/free-ports.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { prometheusBinaries, RealPrometheus } from '../servers/real-prometheus.js';
import { freeze } from './rig/process-family.js';
import { RealSystem } from './rig/real-system.js';

const FASTER = 40;
/** Two samples must be in a window. */
const LEAST_WINDOW_S = 5;
const FIRES_MS = 60_000;
/** Ten minutes of the rules' time. */
const STAYS_WELL_MS = 15_000;
const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const seconds = (text: string) => (Number(text.slice(0, -1)) * (UNIT_S[text.slice(-1)] ?? Number.NaN)) / FASTER;

/** The same rules: `for`, windows, and thresholds in seconds are shorter. */
function quickened(text: string): string {
  const rules = parse(text) as { groups: { rules: { expr: string; for?: string }[] }[] };
  for (const rule of rules.groups.flatMap((group) => group.rules)) {
    if (rule.for !== undefined) rule.for = `${Math.max(1, Math.round(seconds(rule.for)))}s`;
    rule.expr = rule.expr
      .replace(
        /(\[|offset )(\d+[smhd])/g,
        (_, of, span) => `${of}${Math.max(LEAST_WINDOW_S, Math.round(seconds(span)))}s`,
      )
      .replace(/(_seconds(?:\{[^}]*\})?\)? > )(\d+)$/, (_, before, limit) => before + limit / FASTER);
  }
  return JSON.stringify(rules);
}

const test = suite('alerts that fire');
const binaries = await prometheusBinaries();
/** The provider never answers in time, so orders are pending for long. */
const SLOW = { PAYMENT_LATENCY_MS: '600000', ORDER_TIMEOUT_S: '3600', ORDER_WAIT_MS: '200' };
const built =
  'missing' in binaries
    ? { skipped: binaries.missing }
    : await RealSystem.build({
        ...{
          ...SLOW,
          ROLES: 'all,backup',
          BACKUP_PORT: String(await freePort()),
          BACKUP_EVERY_S: '10',
          NODE_NAME: 'one',
        },
      });

if ('missing' in binaries || 'skipped' in built) {
  console.log(
    `SKIP alerts that fire: ${'missing' in binaries ? binaries.missing : (built as { skipped: string }).skipped}`,
  );
} else {
  const one = built;
  let two: RealSystem;
  let prometheus: RealPrometheus;
  let operator: Nats;

  const hasBackups = () => !/Backups need pg_dump/.test(one.output);
  const urlOf = async (...words: string[]) =>
    (await one.command('url', ...words)).output.trim().split('\n').at(-1) ?? '';
  const order = () => one.post('/api/orders', { user_id: 'u', product_id: 'SOLD', quantity: 1 }).catch(() => undefined);
  const firing = async () =>
    (await prometheus.alerts()).filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname ?? '');
  const fires = async (name: string, meanwhile: () => Promise<unknown> = async () => {}) => {
    const since = performance.now();
    const does = await until(
      async () => {
        await meanwhile();
        return (await firing()).includes(name);
      },
      FIRES_MS,
      250,
    );
    assert.ok(does, `${name} does not fire: ${await firing()}`);
    console.log(`  ${name} after ${Math.round((performance.now() - since) / 1_000)} s`);
  };

  /** As somebody who changes tables by hand. */
  async function plantWrongRow(): Promise<void> {
    const client = connectPostgres(await urlOf('postgres'), { max: 1 });
    await client.query('plant a wrong row', "update products set on_hand = on_hand + 1 where product_id = 'WRONG'");
    await client.end();
  }

  test.before(async () => {
    await one.start();
    await one.stock(['SOLD', 'WRONG'], 1_000);
    const second = await RealSystem.build({
      ...{ ...SLOW, NODE_NAME: 'two', DATABASE_URL: await urlOf('postgres'), NATS_URL: await urlOf('nats') },
    });
    if ('skipped' in second) throw new Error(second.skipped);
    two = second;
    await two.start();
    operator = await connectNats(await urlOf('nats', 'operator'), { name: 'alerts test', log: quiet });
    const rules = quickened(readFileSync('deploy/observe/rules.yml', 'utf8'));
    const targets = [one, two].map(({ port }) => `127.0.0.1:${port}`);
    prometheus = await RealPrometheus.start(binaries, { targets, rules });
  });

  test.after(async () => {
    await prometheus?.stop();
    await operator?.close();
    two?.raze();
    one.raze();
  });

  test('no alert fires while all is well', async () => {
    const isWell = async () => {
      const up = (await prometheus.query('holdfast:nodes_up:count == 2')).length === 1;
      const judged = !hasBackups() || (await prometheus.query('holdfast_verify_violations == 0')).length === 1;
      return up && judged && (await firing()).length === 0;
    };
    assert.ok(await until(isWell, FIRES_MS, 250), `${await firing()} fires\n${one.lastWords()}`);
    let seen: readonly string[] = [];
    const hasSome = async () => {
      seen = await firing();
      return seen.length > 0;
    };
    assert.not.ok(await until(hasSome, STAYS_WELL_MS, 250), `${seen} fires\n${one.lastWords()}`);
  });

  test('an order that is pending for long, and a node that is gone', async () => {
    await plantWrongRow(); // The next dumps find it, while other things break.
    await order();
    await fires('HoldfastOrderPendingLong');
    process.kill(two.pid, 'SIGKILL');
    await fires('HoldfastNodeDown');
  });

  test('EVENTS that takes nothing', async () => {
    const info = await streamInfo(operator, 'EVENTS');
    assert.ok(info);
    await changeStream(operator, info, { discard: 'new', max_msgs: Math.max(1, info.state.messages) });
    await fires('HoldfastEventsBehind', order);
    const { discard, max_msgs } = info.config;
    await changeStream(operator, info, { discard, max_msgs });
  });

  test('a journal that is nearly full', async () => {
    const info = await streamInfo(operator, 'JOURNAL');
    assert.ok(info);
    await changeStream(operator, info, { max_bytes: Math.ceil(info.state.bytes / 0.85) });
    await fires('HoldfastJournalFilling');
    await changeStream(operator, info, { max_bytes: info.config.max_bytes });
  });

  test('what verify finds, and dumps that do not count any more', async () => {
    if (!hasBackups()) return console.log('SKIP HoldfastVerifyViolation, HoldfastBackupsOld: backups need pg_dump');
    await fires('HoldfastVerifyViolation');
    await fires('HoldfastBackupsOld');
  });

  test('a broker that is away', async () => {
    const resume = await freeze(one.childPid('nats'));
    await fires('HoldfastBrokerAway').finally(resume);
  });

  test('what alerts say has no hole', async () => {
    const said = (await prometheus.alerts()).flatMap(({ annotations }) => Object.values(annotations));
    assert.ok(said.length > 10);
    for (const text of said) assert.not.match(text, /error expanding|<no value>/);
  });

  test.run();
}
