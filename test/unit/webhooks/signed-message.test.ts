// What a receiver gets: headers that the specification's own library verifies, and a body without a rounded digit.
import { Webhook } from 'standardwebhooks';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PAUSES_MS, pauseAfter } from '../../../bus/webhooks/retries.js';
import { bodyOf, headerId, signedHeaders } from '../../../bus/webhooks/signed-message.js';
import { deliveriesIn, matches } from '../../../bus/webhooks/wanted-events.js';

const test = suite('signed message');
const secretOf = (letter: string) => `whsec_${Buffer.alloc(24, letter).toString('base64')}`;
const [NEW, OLD, OTHER] = [secretOf('n'), secretOf('o'), secretOf('x')];

test('each secret signs, and the library verifies either', () => {
  const body = '{"type":"order.placed.v1","data":{"notes":"é😀"}}';
  const message = { event: 'order/ORD-1/1', body, missing: undefined, at: Date.now() };
  const headers = signedHeaders({ ...message, secrets: [NEW, OLD] });
  assert.is(headers['webhook-id'], 'order/ORD-1/1');
  assert.is(headers['webhook-signature']?.split(' ').length, 2);
  for (const secret of [NEW, OLD]) assert.equal(new Webhook(secret).verify(body, headers), JSON.parse(body));
  assert.throws(() => new Webhook(OTHER).verify(body, headers), /No matching signature/);
  assert.throws(() => new Webhook(NEW).verify(`${body} `, headers), /No matching signature/);
  assert.throws(() => new Webhook(OLD).verify(body, signedHeaders({ ...message, secrets: [NEW] })), /No matching/);
  assert.not.ok('holdfast-missing' in headers);
  const later = signedHeaders({ ...message, missing: 'order/ORD-1/0', secrets: [NEW] });
  assert.is(later['holdfast-missing'], 'order/ORD-1/0');
});

test('an id in a header is ASCII without full stops, and no two are the same', () => {
  const ids = ['order/a.b/1', 'order/a%2Eb/1', 'order/ü/1', 'order/ü😀 x/1', 'order/a\u0001/1', 'inventory/P-1_x/22'];
  const shown = ids.map(headerId);
  assert.equal(shown[0], 'order/a%2Eb/1');
  assert.equal(shown.at(-1), 'inventory/P-1_x/22');
  for (const id of shown) assert.match(id, /^[\w/%-]+$/);
  assert.is(new Set(shown).size, ids.length);
});

test('the body is the event as it stands in its message, with its time once more', () => {
  const event =
    '{"id":"order/a/1","type":"order.placed.v1","subject":"a","time":"t","data":{"total":9007199254740993.01,"x":1.10}}';
  const body = bodyOf(event, '2026-11-21T11:49:34.506Z');
  assert.is(body, `{"timestamp":"2026-11-21T11:49:34.506Z",${event.slice(1)}`);
  assert.is(JSON.parse(body).id, 'order/a/1');
});

test('a delivery has the id and type of its event, and the body cut from the message', () => {
  const [of, data] = [
    '"id":"order/A/1","type":"order.held.v1","time":"t"',
    '"data":{"id":"order/NOPE/1","total":90071992547409.91}',
  ];
  const wanted = [{ id: 'W1', types: ['order.*'], since: 0 }] as unknown as Parameters<typeof deliveriesIn>[1];
  const page = [{ text: `[{${data},${of}},{"id":"product/P/1","type":"inventory.held.v1"}]`, storedMs: 1 }];
  const parts = [...deliveriesIn(page as unknown as Parameters<typeof deliveriesIn>[0], wanted, 0)];
  const body = `{"timestamp":"t",${data},${of}}`;
  assert.equal(parts, [[{ webhook: 'W1', event: 'order/A/1', type: 'order.held.v1', actor: 'order/A', body }]]);
});

test('types match by their text, or by their beginning', () => {
  for (const wish of ['*', 'order.*', 'order.placed.*', 'order.placed.v1'])
    assert.ok(matches(wish, 'order.placed.v1'), wish);
  for (const wish of ['inventory.*', 'order.placed', 'order.placed.v11', 'placed.*', 'order.placed.v1.*'])
    assert.not.ok(matches(wish, 'order.placed.v1'), wish);
});

test('attempts end within a day or so, with pauses that grow and differ', () => {
  const [least, most] = [0, 1].map((random) =>
    PAUSES_MS.map((_, i) => pauseAfter(i + 1, undefined, () => random) ?? 0),
  );
  const sum = (pauses: readonly number[] = []) => pauses.reduce((all, one) => all + one, 0) / 3_600_000;
  assert.ok(sum(least) > 18 && sum(most) < 30 && sum(PAUSES_MS) > 23 && sum(PAUSES_MS) < 25);
  for (const [i, pause] of PAUSES_MS.entries()) assert.ok((least?.[i] ?? 0) < pause && (most?.[i] ?? 0) > pause);
  assert.is(
    pauseAfter(PAUSES_MS.length + 1, undefined, () => 0.5),
    undefined,
  );
  assert.is(
    pauseAfter(1, 60_000, () => 0.5),
    60_000,
  );
  assert.is(
    pauseAfter(1, 1_000, () => 0.5),
    5_000,
  );
  assert.is(
    pauseAfter(1, 1e12, () => 0.5),
    3_600_000,
  );
});

test.run();
