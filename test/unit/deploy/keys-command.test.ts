// `holdfast keys`: its arguments, its effects, its output; a key is printed once.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ApiKeys } from '../../../actors/ports/api-keys.js';
import { BadCommand } from '../../../deploy/commands/command.js';
import { keysOn } from '../../../deploy/commands/keys.js';
import { hashOf, isApiKey } from '../../../http/auth/api-key.js';
import { memoryApiKeys } from '../../../storage/memory/memory-api-keys.js';
import { memoryTerminal, typed } from './memory-terminal.js';

const NOW = Date.UTC(2026, 10, 21, 12);

const test = suite<{
  keys: ApiKeys;
  run: (line: string, isJson?: boolean) => Promise<{ code: number; out: string[]; said: string }>;
}>('holdfast keys');

test.before.each((context) => {
  const keys = memoryApiKeys();
  let now = NOW;
  context.keys = keys;
  context.run = async (line, isJson = false) => {
    const terminal = memoryTerminal({ now: () => now++, isJson });
    const words = line.split(' ').filter((word) => word !== '');
    const commands = keysOn((use) => use(keys));
    const given = typed([commands], 'keys', ...words);
    const command = commands.commands.find(({ name }) => name === words[0]);
    assert.ok(command);
    const code = await command.run(given, terminal);
    return { code, out: terminal.out, said: terminal.said.join('\n') };
  };
});

test('a key is created and printed alone, once; only its hash is stored', async ({ keys, run }) => {
  const { code, out, said } = await run('create --name shop --scopes orders:read,orders:write --expires 90d');
  assert.is(code, 0);
  assert.is(out.length, 1);
  const [key = ''] = out;
  assert.ok(isApiKey(key));
  const stored = await keys.find(hashOf(key));
  assert.equal(stored?.scopes, ['orders:read', 'orders:write']);
  assert.equal([stored?.name, stored?.userId, stored?.caller], ['shop', undefined, stored?.id]);
  assert.is((stored?.expiresAt ?? 0) - (stored?.createdAt ?? 0), 90 * 86_400_000);
  assert.ok(said.includes(stored?.id ?? '-') && !said.includes(key));
  assert.not.ok(JSON.stringify(await keys.list()).includes(key.slice(-64)));
  assert.not.ok((await run('list')).out.join().includes(key));
});

test("a customer's key, and a key without an end", async ({ keys, run }) => {
  const { out } = await run('create --name app --scopes orders:read --user ada');
  const stored = await keys.find(hashOf(out[0] ?? ''));
  assert.equal([stored?.userId, stored?.expiresAt], ['ada', undefined]);
});

test('a key that replaces another is the same caller, and the old one works until its revocation', async ({
  keys,
  run,
}) => {
  const [first = ''] = (await run('create --name shop --scopes orders:write --user ada')).out;
  const old = await keys.find(hashOf(first));
  const { code, out, said } = await run(`create --replaces ${old?.id} --expires 12h`);
  assert.is(code, 0);
  const young = await keys.find(hashOf(out[0] ?? ''));
  assert.equal(
    [young?.name, young?.scopes, young?.userId, young?.caller],
    ['shop', ['orders:write'], 'ada', old?.caller],
  );
  assert.ok(said.includes(`holdfast keys revoke ${old?.id}`));
  const third = await keys.find(hashOf((await run(`create --replaces ${young?.id}`)).out[0] ?? ''));
  assert.is(third?.caller, old?.caller);
  assert.is((await run('create --replaces nobody')).code, 1);
});

test('keys are listed with their scopes, their end, and whether they are valid', async ({ keys, run }) => {
  assert.match((await run('list')).said, /There are no keys/);
  const id = async (options: string) =>
    (await keys.find(hashOf((await run(`create ${options}`)).out[0] ?? '')))?.id ?? '';
  const valid = await id('--name valid --scopes admin');
  const customer = await id('--name customer --scopes orders:read --user ada --expires 1d');
  const gone = await id('--name gone --scopes orders:read');
  await run(`revoke ${gone}`);
  await keys.touch(valid, NOW);
  const { out } = await run('list');
  const line = (of: string) => out.find((text) => text.startsWith(of)) ?? '';
  assert.is(out.length, 4);
  assert.match(line(valid), /valid +2026-11-21T12:00Z +admin +valid$/);
  assert.match(line(customer), /valid until 2026-11-22T12:00Z +never +orders:read of user "ada" +customer$/);
  assert.match(line(gone), /revoked 2026-11-21T12:00Z/);
});

test('a key is revoked by its id or by the key itself', async ({ keys, run }) => {
  const [key = ''] = (await run('create --name shop --scopes admin')).out;
  const { code, said } = await run(`revoke ${key}`);
  assert.is(code, 0);
  assert.match(said, /is revoked: it is refused within 5 s/);
  assert.not.ok(said.includes(key));
  assert.ok((await keys.find(hashOf(key)))?.revokedAt);
  assert.is((await run('revoke nobody')).code, 1);
});

test('wrong arguments are explained in a sentence, and nothing is done', async ({ keys, run }) => {
  for (const [line, why] of [
    ['', /say which: create, list, revoke/],
    ['destroy', /unknown command 'destroy'/],
    ['list all', /it does not take "all"/],
    ['revoke', /missing required argument 'ID'/],
    ['revoke a b', /it does not take "b"/],
    ['create', /--name/],
    ['create --name', /--name|argument/i],
    ['create --name x', /--scopes must be some of/],
    ['create --name x --scopes', /scopes|argument/i],
    ['create --name x --scopes orders', /--scopes must be some of/],
    ['create --name x --scopes admin,', /--scopes must be some of/],
    ['create --name x --scopes admin --user ada', /--user makes a key for one customer/],
    ['create --name x --scopes admin --expires soon', /--expires must be/],
    ['create --name x --scopes admin --expires 0d', /--expires must be/],
    ['create --name x --scopes admin --expires 9999d', /--expires must be/],
    ['create --name x --scopes admin --colour red', /colour/],
    ['create --name x --scopes admin extra', /extra/],
    ['create --replaces abc --name x', /leave them out/],
  ] as const) {
    try {
      await run(line);
      assert.unreachable(line);
    } catch (error) {
      assert.instance(error, BadCommand, line);
      assert.match((error as Error).message, why, line);
    }
  }
  assert.is((await keys.list()).length, 0);
});

test.run();
