// The rules of Prometheus: each alert fires when it should and not before, by promtool; and OPERATING.md has a section for each.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse, parseAllDocuments } from 'yaml';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';
import { kubectl } from '../../servers/fetched-tools.js';
import { prometheusBinaries } from '../../servers/real-prometheus.js';

const RULES = 'deploy/observe/rules.yml';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: { readonly summary?: string; readonly runbook_url?: string };
}

/** Samples a minute apart, as promtool writes them; when the alert is silent, and when it fires. */
interface Case {
  readonly series: Readonly<Record<string, string>>;
  readonly silent: string;
  readonly fires: string;
}

const case_ = (series: Case['series'], silent: string, fires: string): Case => ({ series, silent, fires });
/** A gauge that is well for five minutes and then is not. */
const turns = (metric: string, well: number, bad: number, silent: string, fires: string): Case =>
  case_({ [metric]: `${well}x5 ${bad}x120` }, silent, fires);
const requests = (more: string) =>
  `holdfast_http_request_duration_seconds_count{route="/api/orders",method="POST",${more}}`;
const faster = (le: string) =>
  `holdfast_http_request_duration_seconds_bucket{route="/api/orders",method="POST",status="201",le="${le}"}`;
/** A thousand requests a minute; after five minutes every twentieth fails. */
const FAILING = {
  [requests('status="201"')]: '0+1000x5 5950+950x800',
  [requests('status="503"')]: '0+0x5 50+50x800',
};
/** The same; after five minutes every fifth order is slow. */
const SLOW = { [requests('status="201"')]: '0+1000x200', [faster('0.25')]: '0+1000x5 5800+800x200' };
/** By the pauses of deploy/backup/step.ts, the longest ones; each try fails after 150 seconds. */
function failuresAtMinutes(minutes: number): readonly number[] {
  const at: number[] = [];
  for (let [s, pauseS] = [0, 5]; s < minutes * 60; s += pauseS + 150, pauseS = Math.min(600, pauseS * 2)) at.push(s);
  return Array.from({ length: minutes }, (_, minute) => at.filter((s) => s <= minute * 60).length);
}
const up = (instance: string) => `up{job="holdfast",instance="${instance}"}`;

const CASES: Readonly<Record<string, Case>> = {
  HoldfastAvailabilityBurns: case_(FAILING, '5m', '40m'),
  HoldfastAvailabilityErodes: case_(FAILING, '5m', '60m'),
  HoldfastServerErrors: case_(FAILING, '10m', '13m'),
  HoldfastOrdersSlow: case_(SLOW, '5m', '90m'),
  HoldfastOrderPendingLong: turns('holdfast_oldest_pending_order_seconds', 20, 90, '6m', '8m'),
  HoldfastPaymentsOwed: turns('holdfast_oldest_payment_owed_seconds{operation="refund"}', 9, 400, '10m', '12m'),
  HoldfastVerifyViolation: turns('holdfast_verify_violations', 0, 2, '5m', '6m'),
  HoldfastDeadLetters: case_({ holdfast_dead_letters_total: '0x5 1x30' }, '5m', '7m'),
  HoldfastGremlinOn: turns('holdfast_gremlin_on', 0, 1, '20m', '22m'),
  HoldfastNodeDown: case_({ [up('a')]: '1x30', [up('b')]: '1x5 0x30' }, '6m', '8m'),
  HoldfastNodeMissing: case_({ [up('a')]: '1x30', [up('b')]: '1x5 stale' }, '6m', '12m'),
  HoldfastNoNode: case_(
    {
      ...{ [up('a')]: '1x5 stale', 'holdfast_build_info{instance="a",roles="actors,edge"}': '1x5 stale' },
      ...{ [up('feed')]: '1x30', 'holdfast_build_info{instance="feed",roles="feed"}': '1x30' },
    },
    '5m',
    '8m',
  ),
  HoldfastNodeDoesNotServe: case_(
    {
      'holdfast_owner{instance="a"}': '1x5 0x30',
      'holdfast_build_info{instance="a",roles="actors,edge"}': '1x35',
      'holdfast_owner{instance="b"}': '0x35',
      'holdfast_build_info{instance="b",roles="edge"}': '1x35',
    },
    '6m',
    '9m',
  ),
  HoldfastPartitionWithoutOwner: case_(
    {
      'holdfast_partitions{state="running",instance="a"}': '8x35',
      'holdfast_partitions{state="running",instance="b"}': '8x5 0x30',
      'holdfast_system_partitions{instance="a"}': '16x35',
    },
    '6m',
    '8m',
  ),
  HoldfastPartitionsRestless: case_(
    { 'holdfast_partition_moves_total{direction="in"}': '16x5 16+8x40', holdfast_system_partitions: '16x50' },
    '6m',
    '20m',
  ),
  HoldfastLettersUnconfirmed: turns('holdfast_unconfirmed_letters', 10, 2_000, '10m', '12m'),
  HoldfastInboxFills: turns('holdfast_inbox_commands', 10, 12_000, '5m', '6m'),
  HoldfastMemoryFills: turns('holdfast_orders_in_memory', 10, 120_000, '5m', '6m'),
  HoldfastVersionsDiffer: case_(
    {
      'holdfast_build_info{version="1",instance="a"}': '1x90',
      'holdfast_build_info{version="2",instance="b"}': '_x5 1x90',
    },
    '60m',
    '70m',
  ),
  HoldfastBrokerAway: turns('holdfast_dependency_up{dependency="nats"}', 1, 0, '6m', '8m'),
  HoldfastPostgresAway: turns('holdfast_dependency_up{dependency="postgres"}', 1, 0, '6m', '8m'),
  HoldfastRedisAway: turns('holdfast_redis_breaker_open', 0, 1, '10m', '12m'),
  HoldfastKafkaAway: turns('holdfast_dependency_up{dependency="kafka"}', 1, 0, '10m', '12m'),
  HoldfastJournalUnanswered: case_({ 'holdfast_unanswered_calls_total{call="append"}': '0x5 1+1x30' }, '10m', '13m'),
  HoldfastPostgresUnanswered: case_({ 'holdfast_unanswered_calls_total{call="flush"}': '0x5 1+1x30' }, '10m', '13m'),
  HoldfastJournalFilling: case_(
    {
      'holdfast_stream_bytes{stream="JOURNAL"}': '500x5 800x30',
      'holdfast_stream_limit_bytes{stream="JOURNAL"}': '1000x35',
      'holdfast_stream_bytes{stream="EVENTS"}': '1000x35',
      'holdfast_stream_limit_bytes{stream="EVENTS"}': '1000x35',
    },
    '7m',
    '9m',
  ),
  HoldfastAppendsSlow: case_(
    {
      'holdfast_append_duration_seconds_bucket{le="0.5"}': '0+100x5 500x40',
      'holdfast_append_duration_seconds_bucket{le="1"}': '0+100x40',
      'holdfast_append_duration_seconds_bucket{le="+Inf"}': '0+100x40',
    },
    '9m',
    '14m',
  ),
  HoldfastPostgresBehind: turns('holdfast_unflushed_events', 10, 150_000, '5m', '6m'),
  HoldfastListsBehind: turns('holdfast_list_age_seconds', 0, 12, '6m', '8m'),
  HoldfastReplicaUnused: turns('holdfast_read_replica_used', 1, 0, '9m', '11m'),
  HoldfastListsOftenStale: turns('holdfast_list_age_seconds', 0, 2, '5m', '40m'),
  HoldfastSearchBehind: turns('holdfast_search_lag_seconds', 1, 130, '10m', '12m'),
  HoldfastEventsBehind: turns('holdfast_events_lag_seconds', 0, 90, '6m', '8m'),
  HoldfastFeedFails: turns('holdfast_feed_failing{feed="kafka"}', 0, 1, '10m', '12m'),
  HoldfastFeedWillLose: turns('holdfast_feed_retention_used_ratio{feed="kafka"}', 0.1, 0.6, '5m', '6m'),
  HoldfastWebhooksBehind: turns('holdfast_feed_lag_seconds{feed="webhooks"}', 1, 400, '10m', '12m'),
  HoldfastWebhookDisabled: case_({ 'holdfast_webhooks_disabled_total{reason="gone"}': '0x5 1x30' }, '5m', '7m'),
  HoldfastBackupsOld: case_(
    { holdfast_backup_age_seconds: '300x5 1000x30', holdfast_backup_interval_seconds: '300x35' },
    '10m',
    '12m',
  ),
  HoldfastNoBackups: case_({ 'holdfast_backup_age_seconds{instance="a"}': '60x5 stale' }, '60m', '70m'),
  HoldfastBackupFails: case_(
    {
      'holdfast_backup_failures_total{step="archive"}': '0x5 4x500', // That was all.
      'holdfast_backup_failures_total{step="dump"}': `0x5 ${failuresAtMinutes(400).join(' ')}`,
    },
    '30m',
    '390m',
  ),
  HoldfastArchivesNotOffsite: case_({ holdfast_backup_waiting_archives: '1x5 2x1500' }, '1440m', '1450m'),
};

const test = suite('alerts');
const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const names = alerts.map(({ alert = '' }) => alert);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-'));
const binaries = await prometheusBinaries();
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('each alert says how urgent it is and what happens, and names its section of OPERATING.md', () => {
  const sections = new Map(
    readFileSync('OPERATING.md', 'utf8')
      .split(/^### /m)
      .slice(1)
      .map((section): [string, string] => [section.split('\n', 1)[0] ?? '', section]),
  );
  assert.equal([...sections.keys()].filter((title) => title.startsWith('Holdfast')).sort(), [...names].sort());
  for (const { alert = '', labels, annotations } of alerts) {
    assert.ok(['page', 'warn'].includes(labels?.severity ?? ''), alert);
    assert.match(annotations?.summary ?? '', /\.$/, alert);
    assert.is(annotations?.runbook_url, `OPERATING.md#${alert.toLowerCase()}`);
    for (const part of ['It means', 'Look first', 'Do']) assert.match(sections.get(alert) ?? '', `**${part}:**`);
  }
});

test('promtool accepts the rules, and the configuration of each Prometheus', async () => {
  const kubernetes = parse(readFileSync('deploy/observe/prometheus-kubernetes.yml', 'utf8'));
  const [job] = kubernetes.scrape_configs;
  const isKept = new RegExp(`^(?:${job.relabel_configs[0].regex})$`);
  for (const file of ['deployment', 'feed-deployment', 'backup-deployment']) {
    const all = parseAllDocuments(readFileSync(`deploy/kubernetes/base/${file}.yaml`, 'utf8')).map((one) => one.toJS());
    const { template } = all.find(({ kind }) => kind === 'Deployment').spec;
    const ports = template.spec.containers.flatMap(({ ports = [] }: { ports?: { name: string }[] }) => ports);
    const label = template.metadata.labels['app.kubernetes.io/name'];
    assert.is(ports.filter(({ name }: { name: string }) => isKept.test(`${label};${name}`)).length, 1, file);
  }
  if ('missing' in binaries) return console.log(`SKIP ${RULES}: ${binaries.missing}`);
  // Debian's build of Prometheus does not find pods, and the key's file is not here.
  const { kubernetes_sd_configs: _, ...found } = job;
  const file = join(folder, 'prometheus-kubernetes.yml');
  writeFileSync(file, JSON.stringify({ ...kubernetes, scrape_configs: [found] }));
  for (const words of [
    ['config', '--syntax-only', 'deploy/observe/prometheus.yml'],
    ['config', '--syntax-only', file],
    ['rules', RULES],
  ]) {
    const checked = await run(binaries.promtool, ['check', ...words], { deadlineMs: patientMs(20_000) });
    assert.is(checked.code, 0, checked.output);
  }
});

test('Kustomize makes ConfigMaps of the rules and of every board', async () => {
  const command = await kubectl();
  if (typeof command !== 'string') return console.log(`SKIP deploy/observe: ${command.missing}`);
  const made = await run(command, ['kustomize', 'deploy/observe'], { deadlineMs: patientMs(20_000) });
  assert.is(made.code, 0, made.output);
  const maps = parseAllDocuments(made.output).map((document) => document.toJS());
  const data = (name: string) => maps.find(({ metadata }) => metadata.name === name)?.data ?? {};
  assert.is(data('holdfast-prometheus')['rules.yml'], readFileSync(RULES, 'utf8'));
  const boards = readdirSync('deploy/observe/grafana').map((file) => `holdfast-${file}`);
  assert.equal(Object.keys(data('holdfast-boards')).sort(), boards.sort());
});

test('each alert fires when it should, and not before', async () => {
  assert.equal(Object.keys(CASES).sort(), [...names].sort());
  if ('missing' in binaries) return console.log(`SKIP the tests of ${RULES}: ${binaries.missing}`);
  const tests = Object.entries(CASES).map(([alert, { series, silent, fires }]) => {
    const expr = `count(ALERTS{alertname="${alert}",alertstate="firing"})`;
    return {
      interval: '1m',
      name: alert,
      input_series: Object.entries(series).map(([one, values]) => ({ series: one, values })),
      promql_expr_test: [
        { expr, eval_time: silent },
        { expr, eval_time: fires, exp_samples: [{ labels: '{}', value: 1 }] },
      ],
    };
  });
  const file = join(folder, 'rules-test.yml');
  writeFileSync(file, JSON.stringify({ rule_files: [resolve(RULES)], evaluation_interval: '1m', tests }));
  const result = await run(binaries.promtool, ['test', 'rules', file], { deadlineMs: patientMs(60_000) });
  assert.is(result.code, 0, result.output);
});

test.run();
