// The contract of a store of API keys, for every implementation.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { userId } from '../../actors/ids.js';
import type { ApiKey, ApiKeys } from '../../actors/ports/api-keys.js';
import { SCOPES } from '../../actors/principal.js';
import { NASTY, uniqueName } from './rig/storage-samples.js';

const AT = 1_712_345_678_901;

export function apiKeysContract(name: string, keys: ApiKeys, after: () => Promise<void> = async () => {}): void {
  const test = suite(`API keys contract: ${name}`);

  const a = (more: Partial<ApiKey> = {}): ApiKey => {
    const id = uniqueName('k');
    return {
      id,
      hash: `hash of ${id}`,
      name: 'shop',
      scopes: ['orders:read'],
      userId: undefined,
      caller: id,
      createdAt: AT,
      expiresAt: undefined,
      revokedAt: undefined,
      lastUsedAt: undefined,
      ...more,
    };
  };
  const rejects = async (promise: Promise<unknown>, why: string) => {
    const refused = await promise.then(
      () => false,
      () => true,
    );
    assert.ok(refused, why);
  };

  test('a key is found by its hash exactly as it was stored, and by nothing else', async () => {
    const samples = [
      a(),
      a({ scopes: ['orders:read', 'orders:write', 'inventory:write'], userId: userId('ada "x"'), expiresAt: AT + 1 }),
      a({ scopes: [...SCOPES], caller: 'another', revokedAt: AT + 2, lastUsedAt: AT + 3 }),
      ...NASTY.map((text) => a({ name: text, userId: userId(text || 'u') })),
    ];
    for (const key of samples) await keys.create(key);
    for (const key of samples) assert.equal(await keys.find(key.hash), key);
    assert.is(await keys.find(samples[0]?.id ?? ''), undefined);
    assert.is(await keys.find(''), undefined);
    assert.is(await keys.find("' or true --"), undefined);
  });

  test('no second key with the same id or hash, and no customer with the admin scope', async () => {
    const first = a();
    await keys.create(first);
    await rejects(keys.create(a({ id: first.id })), 'the same id');
    await rejects(keys.create(a({ hash: first.hash })), 'the same hash');
    await rejects(keys.create(a({ scopes: ['admin'], userId: userId('u') })), 'a customer that is admin');
    assert.equal(await keys.find(first.hash), first);
  });

  test('keys are listed newest first', async () => {
    const [old, young] = [a({ createdAt: AT + 10_000 }), a({ createdAt: AT + 20_000 })];
    await keys.create(young);
    await keys.create(old);
    const listed = await keys.list();
    assert.equal(listed.slice(0, 2), [young, old]);
  });

  test('a second revocation keeps the time of the first, and a revoked key is still listed', async () => {
    const key = a();
    await keys.create(key);
    assert.equal(await keys.revoke(key.id, AT + 5), { ...key, revokedAt: AT + 5 });
    assert.equal(await keys.revoke(key.id, AT + 9), { ...key, revokedAt: AT + 5 });
    assert.equal(await keys.find(key.hash), { ...key, revokedAt: AT + 5 });
    assert.is(await keys.revoke('nobody', AT), undefined);
  });

  test('the time of the last use never goes back', async () => {
    const key = a();
    await keys.create(key);
    await keys.touch(key.id, AT + 7);
    await keys.touch(key.id, AT + 3);
    assert.is((await keys.find(key.hash))?.lastUsedAt, AT + 7);
    await keys.touch('nobody', AT);
  });

  test.after(after);
  test.run();
}
