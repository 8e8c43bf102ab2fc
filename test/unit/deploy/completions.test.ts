/** `holdfast completions`: each shell that is here is asked to complete. Of a shell that is not, the script is looked at. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allCommands } from '../../../deploy/commands/all-commands.js';
import { isGroup } from '../../../deploy/commands/command.js';
import { completionCommands } from '../../../deploy/commands/completions.js';
import { patientMs } from '../../deadlines.js';
import { memoryTerminal, typed } from './memory-terminal.js';

const test = suite('completions');
const folder = mkdtempSync(join(tmpdir(), 'holdfast-completions-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

async function scriptFor(shell: string): Promise<string> {
  const terminal = memoryTerminal();
  const group = completionCommands(() => allCommands);
  const command = group.commands.find(({ name }) => name === shell);
  assert.is(await command?.run(typed([group], 'completions', shell), terminal), 0);
  return terminal.out.join('\n');
}

function shell(
  command: string,
  args: readonly string[],
  input = '',
): { readonly code: number | null; readonly out: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...{ input, encoding: 'utf8', cwd: folder, timeout: patientMs(20_000) },
    env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder },
  });
  return { code: error === undefined ? status : null, out: `${stdout ?? ''}${stderr ?? ''}` };
}

const isThere = (command: string): boolean => shell(command, ['-c', 'exit 0']).code === 0;
const leaves = allCommands.flatMap((one) =>
  isGroup(one)
    ? one.commands.map((each) => ({ path: `${one.name} ${each.name}`, ...each }))
    : [{ path: one.name, ...one }],
);

/** Some typed words, and what must be offered for the last one, and what must not. */
const CASES = [
  ['holdfast ', ['place', 'orders', 'watch', 'dlq', 'help', 'completions'], ['--json']],
  ['holdfast or', ['order', 'orders'], ['place']],
  ['holdfast keys ', ['create', 'list', 'revoke'], ['place']],
  ['holdfast keys create --', ['--name', '--scopes', '--json', '--help'], ['--status', 'create']],
  ['holdfast orders --st', ['--status'], ['--user']],
  ['holdfast orders --status ', ['confirmed', 'failed'], ['--user', 'orders']],
  ['holdfast orders --status con', ['confirmed'], ['cancelled']],
  ['holdfast url postgres ', ['reader', '--json'], ['nats']],
  ['holdfast gremlin enable --kind ', ['latency', 'kill'], ['--kind']],
  ['holdfast help ', ['place', 'keys'], ['help']],
] as const;

test('bash completes commands, options, and the words of an option', async () => {
  if (!isThere('bash')) return console.log('SKIP no bash here');
  const script = await scriptFor('bash');
  assert.is(shell('bash', ['-n'], script).code, 0);
  const file = join(folder, 'bash');
  writeFileSync(file, script);
  for (const [line, offered, others] of CASES) {
    const words = line.split(' ');
    const setting = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`;
    const { code, out } = shell('bash', [
      '-c',
      `source ${file}; ${setting}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ]);
    assert.is(code, 0, out);
    const found = out.trim().split('\n');
    for (const word of offered) assert.ok(found.includes(word), `${line}: ${word} in ${found.join(' ')}`);
    for (const word of others) assert.not.ok(found.includes(word), `${line}: ${word} in ${found.join(' ')}`);
  }
  assert.match(shell('bash', ['-c', `source ${file}; complete -p holdfast`]).out, /-F _holdfast holdfast/);
  writeFileSync(join(folder, 'dump.tar'), '');
  const files = shell('bash', [
    '-c',
    `source ${file}; COMP_WORDS=(holdfast restore --to dum); COMP_CWORD=3; _holdfast; echo "\${COMPREPLY[@]}"`,
  ]);
  assert.is(files.out.trim(), 'dump.tar');
});

test('every command, option and word of the list is in each script', async () => {
  for (const name of ['bash', 'zsh', 'fish']) {
    const script = await scriptFor(name);
    for (const { path, options = [] } of leaves) {
      for (const word of path.split(' ')) assert.ok(script.includes(word), `${name}: ${path}`);
      for (const { name: option, words = [] } of options) {
        const written = name === 'fish' ? `-l ${option.slice(2)} ` : option;
        for (const word of [written, ...words]) assert.ok(script.includes(word), `${name}: ${path} ${word}`);
      }
    }
  }
});

test('zsh reads its script, and completes', async () => {
  const script = await scriptFor('zsh');
  assert.match(script, /^#compdef holdfast\n/);
  assert.is((script.match(/'/g) ?? []).length % 2, 0, 'quotes are closed');
  if (!isThere('zsh')) return console.log('SKIP no zsh here: its script was looked at, and not run');
  const file = join(folder, '_holdfast');
  writeFileSync(file, script);
  assert.equal(shell('zsh', ['-n', file]), { code: 0, out: '' });
  for (const [line, offered, others] of CASES) {
    const words = line.split(' ');
    const setting = `words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}`;
    // What zsh would show is what it is told here: filtering by the beginning is zsh's own.
    const stubs = `compdef() { :; }; _files() { :; }; _describe() { print -l -- \${(P)2}; }`;
    const { code, out } = shell('zsh', ['-f', '-c', `${stubs}; source ${file}; ${setting}; _holdfast`]);
    assert.is(code, 0, out);
    const begun = words.at(-1) ?? '';
    const found = out
      .trim()
      .split('\n')
      .map((told) => told.replace(/:.*/, ''))
      .filter((word) => word.startsWith(begun));
    for (const word of offered) assert.ok(found.includes(word), `${line}: ${word} in ${found.join(' ')}`);
    for (const word of others) assert.not.ok(found.includes(word), `${line}: ${word} in ${found.join(' ')}`);
  }
});

test('fish reads its script, and completes', async () => {
  const script = await scriptFor('fish');
  for (const line of script.split('\n')) assert.match(line, /^(# |function | {2}|end$|complete -c holdfast )/);
  if (!isThere('fish')) return console.log('SKIP no fish here: its script was looked at, and not run');
  const file = join(folder, 'holdfast.fish');
  writeFileSync(file, script);
  assert.equal(shell('fish', ['--no-execute', file]), { code: 0, out: '' });
  for (const [line, offered, others] of CASES) {
    const { code, out } = shell('fish', ['--no-config', '-c', `source ${file}; complete -C '${line}'`]);
    assert.is(code, 0, out);
    const found = out
      .trim()
      .split('\n')
      .map((told) => told.split('\t')[0] ?? '');
    for (const word of offered) {
      // fish offers options only behind a dash.
      if (word.startsWith('--') && !line.endsWith('-') && !/ -\S*$/.test(line)) continue;
      assert.ok(found.includes(word), `${line}: ${word} in ${found.join(' ')}`);
    }
    for (const word of others) assert.not.ok(found.includes(word), `${line}: ${word} in ${found.join(' ')}`);
  }
});

test.run();
