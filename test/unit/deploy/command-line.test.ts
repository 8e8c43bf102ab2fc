/** The command line without a system: what it asks and how often, what it prints, and that the docs name all of it. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allCommands } from '../../../deploy/commands/all-commands.js';
import { BadCommand, EXIT_CODES, isGroup } from '../../../deploy/commands/command.js';
import { Frames } from '../../../deploy/commands/live-events.js';
import { read } from '../../../deploy/commands/parser.js';
import { givenAddress } from '../../../deploy/commands/system.js';
import { hasColorsFor, paint } from '../../../deploy/commands/terminal.js';
import { tableOf } from '../../../deploy/commands/text-table.js';
import { placingIn, quantileOf, rateOf, type Sample } from '../../../deploy/commands/watch-sample.js';
import { lineOf, screenOf } from '../../../deploy/commands/watch-view.js';
import { memoryTerminal } from './memory-terminal.js';

const test = suite('command line');
const leaves = allCommands.flatMap((one) =>
  isGroup(one)
    ? one.commands.map((command) => ({ path: `${one.name} ${command.name}`, command }))
    : [{ path: one.name, command: one }],
);

// ---------------------------------------------------------------- help and docs

test('OPERATING names every command and every exit code as the help does', () => {
  const page = readFileSync('OPERATING.md', 'utf8');
  const section = /^## The command line\n([\s\S]*?)\n## /m.exec(page)?.[1] ?? '';
  for (const { name } of allCommands) assert.match(section, new RegExp(`^\\| .*\`${name}\`.* \\|`, 'm'), name);
  for (const { path } of leaves.filter((leaf) => leaf.path.includes(' ')))
    assert.ok(section.includes(`\`${path.split(' ')[1]}\``), path);
  for (const [code, what] of EXIT_CODES) assert.ok(section.includes(`| ${code} | ${what} |`), code);
});

test('the help of every command has its options, its examples and its exit codes', () => {
  const whole = read(allCommands, '1.2.3', []);
  assert.ok(whole.kind === 'told');
  for (const { name, summary } of allCommands) assert.ok(whole.text.replace(/\s+/g, ' ').includes(summary), name);
  for (const [code, what] of EXIT_CODES) assert.match(whole.text, new RegExp(`${code} +${what.slice(0, 20)}`));
  for (const { path, command } of leaves) {
    const help = read(allCommands, '1.2.3', [...path.split(' '), '--help']);
    assert.ok(help.kind === 'told', path);
    assert.match(help.text, new RegExp(`^Usage: holdfast ${path}`));
    assert.match(help.text, /\nExit codes: 0: /, path);
    for (const { name } of command.options ?? []) assert.ok(help.text.includes(name), `${path} ${name}`);
    for (const { line } of command.examples) {
      assert.ok(help.text.includes(`holdfast ${line}\n`), line);
      const found = read(allCommands, '1.2.3', line.replace(/ > .*/, '').split(' '));
      assert.ok(found.kind === 'run' && found.path === path, line);
    }
  }
  const none = read(allCommands, '1.2.3', ['help', 'nope']);
  assert.equal(none, { kind: 'wrong', message: "holdfast: unknown command 'nope'.\nSee: holdfast --help" });
  for (const words of [['--version'], ['help', 'keys', 'create']])
    assert.is(read(allCommands, '1.2.3', words).kind, 'told');
});

// ---------------------------------------------------------------- what is printed

test('a table is whole in a pipe, and fits a terminal by cutting its widest columns', () => {
  const rows = [
    ['ORD-1', 'a note that is rather long for a narrow terminal', 'x'],
    ['ORD-2', 'two\nlines \x1b[31m', 'y'],
  ];
  const wide = tableOf(['ID', 'NOTE', 'Z'], rows);
  assert.equal(wide[1], 'ORD-1  a note that is rather long for a narrow terminal  x');
  assert.match(wide[2] ?? '', /^ORD-2 {2}two lines {2}\[31m +y$/);
  for (const line of tableOf(['ID', 'NOTE', 'Z'], rows, 30)) assert.ok([...line].length <= 30, line);
  assert.match(tableOf(['ID', 'NOTE', 'Z'], rows, 30)[1] ?? '', /^ORD-1 {2}a note.*… {2}x$/);
});

test('colours are for terminals alone, and NO_COLOR takes them away', () => {
  assert.ok(hasColorsFor(true, {}));
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) assert.not(hasColorsFor(true, env));
  assert.ok(hasColorsFor(true, { NO_COLOR: '' }));
  assert.not(hasColorsFor(false, {}));
  assert.is(paint('red', 'no'), '\x1b[31mno\x1b[39m');
});

// ---------------------------------------------------------------- what is asked

test('an address is a plain http or https URL, and may have a path', () => {
  assert.is(givenAddress('https://shop.example/holdfast/'), 'https://shop.example/holdfast');
  for (const none of [undefined, '']) assert.is(givenAddress(none), undefined);
  for (const wrong of ['shop.example', 'ftp://x', 'https://ada:secret@shop.example', 'https://x?y=1'])
    assert.throws(
      () => givenAddress(wrong),
      (error: Error) => error instanceof BadCommand && !/secret/.test(error.message),
    );
});

test('an event stream may be cut anywhere', () => {
  const text =
    ': events\nretry: 1834\nid: a.1\n\nid: a.2\ndata: {"x":1}\n\nid: a.3\n\nevent: gap\ndata: {"code":"events_lost"}\n\n';
  for (const size of [1, 3, 7, text.length]) {
    const frames = new Frames();
    const found = (text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? []).flatMap((piece) => frames.of(piece));
    assert.equal(found, [
      { event: 'message', data: '{"x":1}' },
      { event: 'gap', data: '{"code":"events_lost"}' },
    ]);
    assert.equal([frames.id, frames.retryMs], ['a.3', 1834]);
  }
});

// ---------------------------------------------------------------- watch

const METRICS = (fast: number, slow: number) => `
holdfast_http_request_duration_seconds_bucket{le="0.01",route="/api/orders",method="POST",status="201"} ${fast}
holdfast_http_request_duration_seconds_bucket{le="0.1",route="/api/orders",method="POST",status="201"} ${fast + slow}
holdfast_http_request_duration_seconds_bucket{le="+Inf",route="/api/orders",method="POST",status="201"} ${fast + slow}
holdfast_http_request_duration_seconds_bucket{le="0.01",route="/api/orders",method="GET",status="200"} 900
holdfast_http_request_duration_seconds_bucket{le="+Inf",route="/livez",method="GET",status="200"} 900
`;
const sample = (atMs: number, confirmed: number, fast: number, slow: number): Sample => ({
  ...{ atMs, health: { status: 'ok', version: '1', dependencies: { postgres: { status: 'up' } } } },
  ...{ orders: { confirmed, failed: 1 }, placing: placingIn(METRICS(fast, slow)) },
  nodes: [{ name: 'one', alive: true, partitions: 16 }],
  ...{ gremlin: { enabled: false, asked: {}, hits: {} }, products: undefined, problems: [] },
});

test('watch tells the rate and the percentiles between two looks', () => {
  const [before, now] = [sample(0, 100, 1_000, 10), sample(2_000, 110, 1_090, 20)];
  assert.is(rateOf(before, now), 5);
  assert.is(Math.round((quantileOf(0.5, before, now) ?? 0) * 10) / 10, 5.6);
  assert.is(Math.round(quantileOf(0.99, before, now) ?? 0), 91);
  assert.is(quantileOf(0.5, undefined, now), undefined);
  assert.is(quantileOf(0.5, now, before), undefined, 'another node has answered');
  assert.is(quantileOf(0.5, now, now), undefined, 'nothing was placed');
  assert.is(rateOf(now, sample(4_000, 0, 0, 0)), undefined, 'a new day has begun');
});

test('the screen fits its terminal, whatever it shows', () => {
  const now = { ...sample(2_000, 110, 1_090, 20), problems: ['a problem\nof two lines', 'x'.repeat(500)] };
  const seen = {
    url: 'http://x',
    now,
    before: sample(0, 100, 1_000, 10),
    low: 10,
    verdict: { clean: true, at: 'then' },
  };
  const plain = memoryTerminal();
  for (const [columns, rows] of [
    [80, 24],
    [40, 5],
    [20, 2],
  ] as const) {
    const lines = screenOf(seen, plain, columns, rows);
    assert.ok(lines.length <= rows, `${rows} rows`);
    for (const line of lines) assert.ok([...line].length <= columns && !line.includes('\n'), line);
  }
  const whole = screenOf(seen, plain, 200, 50).join('\n');
  for (const shown of [
    /orders today +111: 110 confirmed/,
    /5\/s {2}p50 5\.6 ms/,
    /one {2}up {2}16 partitions/,
    /postgres up/,
    /clean at then/,
  ])
    assert.match(whole, shown);
  assert.match(
    lineOf(seen),
    /^\S+ {2}ok {2}confirmed=110 failed=1 {2}5\/s p50=5\.6 p99=91 {2}at_risk=- nodes=1\/1 {2}verify=clean {2}gremlin=off {2}a problem of two lines$/,
  );
});

test.run();
