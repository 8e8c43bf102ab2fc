// The contract of a store of webhooks and of their deliveries, for every implementation.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../actors/limits.js';
import type { Attempted, Claimed, NewDelivery, WebhookQueue, Webhooks } from '../../actors/ports/webhooks.js';
import { NASTY, uniqueName } from './rig/storage-samples.js';

const LEASE_MS = 60_000;
const LONG_MS = 3_600_000;

export function webhooksContract(
  name: string,
  { webhooks, queue }: { readonly webhooks: Webhooks; readonly queue: WebhookQueue },
  after: () => Promise<void> = async () => {},
): void {
  const test = suite(`webhooks contract: ${name}`);
  test.before.each(async () => {
    for (const { id } of await webhooks.list()) await webhooks.remove(id);
  });

  const made = async (types: readonly string[] = ['*'], description = '') => {
    const id = uniqueName('WH');
    const url = `https://hooks.example/${id}`;
    const webhook = await webhooks.create({ id, url, types, description, secret: `secret of ${id}` });
    if (webhook === undefined) throw new Error('not made');
    return webhook;
  };
  const a = (webhook: string, actor: string, event = uniqueName('event')): NewDelivery => {
    return { webhook, actor, event, type: 'order.placed.v1', body: `{"id":"${event}"}` };
  };
  const taken = async (...deliveries: readonly NewDelivery[]) => {
    const { version } = await queue.place();
    assert.is(await queue.take(version, deliveries, uniqueName('cursor')), version + 1);
    return deliveries.map(({ event }) => event);
  };
  const claimed = (webhook: string, room = 100, leaseMs = LEASE_MS) => queue.claim([{ webhook, room }], leaseMs);
  const eventsOf = (claims: readonly Claimed[]) => claims.map(({ event }) => event).sort();
  const attempted = (claim: Claimed | undefined, outcome: Attempted['outcome'], more: Partial<Attempted> = {}) => {
    if (claim === undefined) throw new Error('nothing was claimed');
    const { id, webhook, actor, attempt } = claim;
    const answer = { status: outcome === 'delivered' ? 204 : 500, error: undefined, tookMs: 3, againInMs: 0 };
    return { id, webhook, actor, attempt, outcome, ...answer, ...more };
  };
  const logOf = async (webhook: string) =>
    (await webhooks.deliveries(webhook, { state: undefined, before: undefined, limit: 1_000 })).deliveries;

  test('a webhook is found, listed, changed and removed, whatever its texts', async () => {
    const first = await made(['order.*', 'inventory.held.v1'], NASTY.join(''));
    const second = await made();
    assert.is(first.description, NASTY.join(''));
    assert.equal(first.types, ['order.*', 'inventory.held.v1']);
    assert.equal([first.disabledFor, first.failures, first.oldSecretUntil], [undefined, 0, undefined]);
    assert.equal(await webhooks.find(first.id), first);
    assert.equal(await webhooks.list(), [first, second]);
    const changed = await webhooks.change(first.id, { url: 'https://other.example/', types: ['*'], description: 'x' });
    assert.equal(changed, {
      ...first,
      ...{ url: 'https://other.example/', types: ['*'], description: 'x', updatedAt: changed?.updatedAt ?? 0 },
    });
    assert.equal(await webhooks.remove(second.id), second);
    assert.is(await webhooks.find(second.id), undefined);
    for (const missing of [
      webhooks.find('x'),
      webhooks.change('x', {}),
      webhooks.remove('x'),
      webhooks.rotate('x', 's', 1),
    ])
      assert.is(await missing, undefined);
  });

  test('there are never more than so many', async () => {
    for (let i = 0; i < limits.webhooks; i++) await made();
    const id = uniqueName('WH');
    assert.is(
      await webhooks.create({ id, url: 'https://a.example/', types: ['*'], description: '', secret: 's' }),
      undefined,
    );
    assert.is((await webhooks.list()).length, limits.webhooks);
  });

  test('only an enabled webhook is a subscription; enabling begins anew', async () => {
    const { id, since, url } = await made(['order.*']);
    assert.equal(await queue.subscriptions(), [{ id, url, types: ['order.*'], since, secrets: [`secret of ${id}`] }]);
    assert.is((await webhooks.change(id, { enabled: false }))?.disabledFor, 'request');
    assert.equal(await queue.subscriptions(), []);
    assert.is(await queue.disable(id, 'behind'), false);
    const again = await webhooks.change(id, { enabled: true });
    assert.is(again?.disabledFor, undefined);
    assert.ok((again?.since ?? 0) >= since);
    assert.is((await webhooks.change(id, { enabled: true }))?.since, again?.since);
    assert.is(await queue.disable(id, 'behind'), true);
    assert.is((await webhooks.find(id))?.disabledFor, 'behind');
  });

  test('after a rotation both secrets sign for a while, and a third one drops the first', async () => {
    const { id } = await made();
    const secrets = async () => (await queue.subscriptions()).find((one) => one.id === id)?.secrets;
    const rotated = await webhooks.rotate(id, 'two', LONG_MS);
    assert.ok((rotated?.oldSecretUntil ?? 0) > (rotated?.updatedAt ?? 0));
    assert.equal(await secrets(), ['two', `secret of ${id}`]);
    await webhooks.rotate(id, 'three', LONG_MS);
    assert.equal(await secrets(), ['three', 'two']);
    assert.is((await webhooks.rotate(id, 'four', 0))?.oldSecretUntil, undefined);
    assert.equal(await secrets(), ['four']);
  });

  test('deliveries and the place are stored together, and a feed that is overtaken stores nothing', async () => {
    const { id } = await made();
    const { version } = await queue.place();
    assert.is(await queue.take(version, [a(id, 'x')], undefined), version);
    assert.is(await queue.take(version, [a(id, 'y')], '{"at":1}'), version + 1);
    assert.equal(await queue.place(), { version: version + 1, cursor: '{"at":1}' });
    assert.is(await queue.take(version, [a(id, 'z')], '{"at":2}'), undefined);
    assert.equal(await queue.place(), { version: version + 1, cursor: '{"at":1}' });
    assert.is((await logOf(id)).length, 2);
  });

  test('of many feeds at once one goes on', async () => {
    const { id } = await made();
    const { version } = await queue.place();
    const events = Array.from({ length: 20 }, (_, i) => a(id, `actor ${i % 3}`));
    const answers = await Promise.all(Array.from({ length: 4 }, (_, i) => queue.take(version, events, `${i}`)));
    assert.is(answers.filter((answer) => answer !== undefined).length, 1);
    assert.is((await logOf(id)).length, 20);
  });

  test('a webhook has an event once, and none while it is disabled or gone', async () => {
    const [one, two] = [await made(), await made()];
    await webhooks.change(two.id, { enabled: false });
    const event = uniqueName('event');
    await taken(a(one.id, 'x', event), a(two.id, 'x', event), a('nobody', 'x', event));
    await taken(a(one.id, 'x', event));
    assert.equal(
      (await logOf(one.id)).map((delivery) => delivery.event),
      [event],
    );
    assert.equal(await logOf(two.id), []);
    assert.equal(await queue.waiting(), new Map([[one.id, 1]]));
  });

  test('a body comes back as it was stored', async () => {
    const { id } = await made();
    const body = JSON.stringify({ texts: NASTY, amount: '9007199254740993.01' });
    await taken({ ...a(id, 'x'), body });
    const [claim] = await claimed(id);
    assert.is(claim?.body, body);
    assert.is(claim?.attempt, 1);
  });

  test('of one actor and webhook the first is due, the next once it has ended', async () => {
    const { id } = await made();
    const other = await made();
    const [x1, y1] = await taken(a(id, 'x'), a(id, 'y'));
    const [x2 = '', x3 = ''] = await taken(a(id, 'x'), a(id, 'x'), a(other.id, 'x'));
    const first = await claimed(id);
    assert.equal(eventsOf(first), [x1, y1].sort());
    assert.equal(await claimed(id), []);
    assert.is((await claimed(other.id)).length, 1);
    const x = first.find(({ event }) => event === x1);
    await queue.settle([attempted(x, 'retry', { againInMs: LONG_MS })]);
    assert.equal(await claimed(id), []);
    await queue.settle([attempted(x, 'delivered')]);
    const second = await claimed(id);
    assert.equal(eventsOf(second), [x2]);
    await queue.settle([attempted(second[0], 'failed', { error: 'gave up' })]);
    const third = await claimed(id);
    assert.equal(eventsOf(third), [x3]);
    assert.is(third[0]?.missing, x2);
    assert.is(second[0]?.missing, undefined);
  });

  test('a claim has room for so many, those that are due longest', async () => {
    const { id } = await made();
    const events = await taken(...Array.from({ length: 5 }, (_, i) => a(id, `actor ${i}`)));
    const claims = [...(await claimed(id, 2)), ...(await claimed(id, 2)), ...(await claimed(id, 2))];
    assert.equal(claims.map(({ event }) => event).sort(), [...events].sort());
    assert.equal(eventsOf(claims.slice(0, 2)), events.slice(0, 2).sort());
  });

  test('of claims at once none gets what another has', async () => {
    const { id } = await made();
    const events = await taken(...Array.from({ length: 40 }, (_, i) => a(id, `actor ${i}`)));
    const claims = (await Promise.all(Array.from({ length: 6 }, () => claimed(id, 10)))).flat();
    while (claims.length < events.length) {
      const more = await claimed(id, 100);
      assert.ok(more.length > 0, 'each is claimed once');
      claims.push(...more);
    }
    assert.equal(eventsOf(claims), [...events].sort());
  });

  test('after its lease another claims it, and the first one counts only if it delivered', async () => {
    const { id } = await made();
    await taken(a(id, 'x'), a(id, 'x'));
    const [zombie] = await claimed(id, 1, 0);
    const [claim] = await claimed(id);
    assert.equal([zombie?.event, zombie?.attempt, claim?.attempt], [claim?.event, 1, 2]);
    await queue.settle([attempted(zombie, 'failed')]);
    assert.equal(
      (await logOf(id)).map(({ state }) => state),
      ['waiting', 'waiting'],
    );
    await queue.settle([attempted(zombie, 'delivered')]);
    await queue.settle([attempted(claim, 'failed')]);
    assert.equal(
      (await logOf(id)).map(({ state }) => state),
      ['waiting', 'delivered'],
    );
  });

  test('the log shows the last attempt, newest first, a page at a time', async () => {
    const { id } = await made();
    await taken(a(id, 'x'), a(id, 'x'), a(id, 'y'));
    const claims = await claimed(id);
    const [x, y] = ['x', 'y'].map((actor) => claims.find((claim) => claim.actor === actor));
    await queue.settle([
      attempted(x, 'delivered', { status: 201, tookMs: 7.4 }),
      attempted(y, 'retry', { againInMs: LONG_MS, error: 'no', status: undefined }),
    ]);
    const [third, second, first] = await logOf(id);
    assert.equal(
      [first?.state, first?.status, first?.tookMs, first?.attempts, first?.dueAt],
      ['delivered', 201, 7, 1, undefined],
    );
    assert.ok((first?.endedAt ?? 0) >= (first?.createdAt ?? 1));
    assert.equal([second?.state, second?.status, second?.attempts], ['waiting', undefined, 0]);
    assert.equal([third?.error, third?.status, third?.endedAt], ['no', undefined, undefined]);
    assert.ok((third?.dueAt ?? 0) > (third?.createdAt ?? 0));
    const page = (before: number | undefined) => webhooks.deliveries(id, { state: undefined, before, limit: 2 });
    const newest = await page(undefined);
    assert.equal(newest, { deliveries: [third, second], more: true });
    assert.equal(await page(second?.id), { deliveries: [first], more: false });
    const { deliveries } = await webhooks.deliveries(id, { state: 'delivered', before: undefined, limit: 2 });
    assert.equal(deliveries, [first]);
  });

  test('what has ended is delivered once more on request, beside the order; what waits is not', async () => {
    const { id } = await made();
    const [x1] = await taken(a(id, 'x'), a(id, 'x'));
    const [claim] = await claimed(id);
    const number = claim?.id ?? 0;
    assert.is((await webhooks.redeliver(id, number))?.isAgain, false);
    await queue.settle([attempted(claim, 'failed')]);
    const [later] = await claimed(id);
    assert.is(later?.missing, x1);
    const again = await webhooks.redeliver(id, number);
    assert.equal([again?.isAgain, again?.delivery.state, again?.delivery.attempts], [true, 'waiting', 0]);
    const [second] = await claimed(id);
    assert.equal([second?.event, second?.attempt], [x1, 1]);
    await queue.settle([attempted(second, 'retry', { againInMs: LONG_MS }), attempted(later, 'delivered')]);
    await taken(a(id, 'x'));
    assert.is((await claimed(id)).length, 1);
    assert.is(await webhooks.redeliver(id, 999_999_999), undefined);
    assert.is(await webhooks.redeliver('nobody', number), undefined);
  });

  test('it is disabled when its receiver is gone, or after so many failures without a success between', async () => {
    const [gone, failing] = [await made(), await made()];
    await taken(a(gone.id, 'x'), ...Array.from({ length: limits.webhookFailures }, (_, i) => a(failing.id, `a${i}`)));
    const [claim] = await claimed(gone.id);
    assert.equal(await queue.settle([attempted(claim, 'gone', { status: 410 })]), [{ id: gone.id, why: 'gone' }]);
    assert.is((await logOf(gone.id))[0]?.state, 'failed');
    const claims = await claimed(failing.id);
    const [first, ...rest] = claims.map((one) => attempted(one, 'failed'));
    if (first === undefined) throw new Error('nothing was claimed');
    assert.equal(await queue.settle(rest), []);
    assert.is((await webhooks.find(failing.id))?.failures, limits.webhookFailures - 1);
    assert.equal(await queue.settle([{ ...first, outcome: 'delivered' }]), []);
    assert.is((await webhooks.find(failing.id))?.failures, 0);
    await taken(...Array.from({ length: limits.webhookFailures }, (_, i) => a(failing.id, `b${i}`)));
    const more = (await claimed(failing.id)).map((one) => attempted(one, 'failed'));
    assert.equal(await queue.settle(more), [{ id: failing.id, why: 'failing' }]);
    assert.equal(await queue.subscriptions(), []);
    assert.is((await webhooks.change(failing.id, { enabled: true }))?.failures, 0);
  });

  test('the log keeps so many, and so long; nothing that waits is forgotten', async () => {
    const { id } = await made();
    const events = await taken(...Array.from({ length: 7 }, (_, i) => a(id, `actor ${i}`)));
    await queue.settle((await claimed(id)).map((claim) => attempted(claim, 'delivered')));
    const [waiting] = await taken(a(id, 'waits'));
    assert.equal(await queue.sweep(LONG_MS, 3), { forgotten: 4, more: false });
    assert.equal(await queue.sweep(LONG_MS, 3), { forgotten: 0, more: false });
    assert.is((await logOf(id)).filter(({ event }) => events.includes(event)).length, 3);
    assert.equal(await queue.sweep(-LONG_MS, 3), { forgotten: 3, more: false });
    assert.equal(eventsOf(await claimed(id)), [waiting]);
  });

  test.after(after);
  test.run();
}
