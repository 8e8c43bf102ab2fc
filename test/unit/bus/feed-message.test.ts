/** An event as a message of FEED, and the filler's cursor in the form in which it is stored. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import { cursorIn, cursorMessage } from '../../../bus/feed-stream/feed-cursor.js';
import { eventsIn, feedMessage, percentEncoded, placeIn, subjectOf } from '../../../bus/feed-stream/feed-message.js';
import { FeedPace } from '../../../bus/feed-stream/feed-pace.js';

const test = suite('feed messages');
const place = { journal: journalId('J1'), turn: 12, number: 3, seq: 678, time: 1_764_000_000_000 };

const messageOf = (event: string) => {
  const [found] = eventsIn(`[${event}]`);
  if (found === undefined) throw new Error('no event');
  return feedMessage(found, place);
};

test('a subject is the type without its version', () => {
  assert.is(subjectOf('order.confirmed.v1'), 'feed.order.confirmed');
  assert.is(subjectOf('inventory.held.v12'), 'feed.inventory.held');
  assert.is(subjectOf('a b>*.v1'), 'feed.a_b__');
});

test('header values are percent-encoded as the binding of CloudEvents says', () => {
  assert.is(percentEncoded('Euro € 😀'), 'Euro%20%E2%82%AC%20%F0%9F%98%80');
  assert.is(percentEncoded('100%"x"\r\n'), '100%25%22x%22%0D%0A');
  assert.is(percentEncoded("order/ORD-1/4~!#$&'()*+,"), "order/ORD-1/4~!#$&'()*+,");
  assert.is(percentEncoded('\ud800'), '%EF%BF%BD');
});

test('attributes are headers, also unknown ones; the data is the payload; the place is read again', () => {
  const event = { specversion: '1.0', id: 'product/ü/1', type: 'inventory.held.v1', more: 7, data: { a: 'ü' } };
  const message = messageOf(JSON.stringify(event));
  assert.is(message.subject, 'feed.inventory.held');
  assert.is(message.id, 'product/%C3%BC/1');
  assert.is(message.payload, '{"a":"ü"}');
  assert.match(
    message.headers,
    'ce-specversion: 1.0\r\nce-id: product/%C3%BC/1\r\nce-type: inventory.held.v1\r\nce-more: 7\r\n',
  );
  assert.equal(placeIn(message.headers), place);
  assert.is(placeIn('ce-id: x\r\n'), undefined);
});

test('the payload is the text of the data, with all digits of an amount', () => {
  const data = '{"total_amount":90071992547409.91,"n":1.10,"1":{"id":"order/NOPE/1"},"type":"x","url":"a\\/b"}';
  const message = messageOf(`{"id":"order/\\"A/1","data":${data},"type":"order.held.v1"}`);
  assert.is(message.payload, data);
  assert.is(message.subject, 'feed.order.held');
  assert.is(message.id, 'order/%22A/1');
  assert.match(message.headers, /^ce-id: order\/%22A\/1\r\nce-type: order.held.v1\r\nContent-Type/);
  assert.is(messageOf('{"id":"a","type":"b"}').payload, 'null');
});

test('what is no batch of events is refused', () => {
  assert.throws(() => eventsIn('{}'), /no JSON array/);
  assert.throws(() => eventsIn('[{"id":1,"type":"b"}]'), /no id or type/);
  assert.throws(() => eventsIn('[{"id":"a"}]'), /no id or type/);
});

/** As it was stored when the form was new: it must be read for ever. */
const GOLDEN =
  '{"form":1,"at":1764000000001,"created":"2026-11-29T18:00:00Z","seq":678,"time":1764000000000.5,' +
  '"journals":{"J1":11,"J2":40},"ended":{"J2":1763990000000},"told":{"J1":[12,3]}}';

test('the cursor is stored in form 1', () => {
  const cursor = {
    ...{ created: '2026-11-29T18:00:00Z', seq: 678, time: 1_764_000_000_000.5 },
    ...{ journals: { J1: 11, J2: 40 }, ended: { J2: 1_763_990_000_000 } },
  };
  const { payload, headers } = cursorMessage(cursor, { J1: [12, 3], J2: [40, 1] }, 1_764_000_000_001, true);
  assert.is(payload, GOLDEN, 'a turn that is over is not told in part');
  assert.match(headers, 'Nats-Rollup: sub\r\nNats-TTL: never\r\n');
  assert.equal(cursorIn(GOLDEN).told, { J1: [12, 3] });
  assert.throws(() => cursorIn('{"form":2}'), /form 2, which this version does not know/);
});

test('the rest is longer in a burst, and there is none when the feed is a minute behind', () => {
  const pace = new FeedPace();
  assert.is(pace.restMs(100, 0, 0, 0), 50);
  assert.is(pace.restMs(100, 50, 0, 1_000), 50, '50 turns a second');
  assert.is(pace.restMs(100, 1_050, 0, 2_000), 400, '1000 turns a second');
  assert.is(pace.restMs(100, 1_100, 30_000, 2_100), 200);
  assert.is(pace.restMs(100, 1_200, 90_000, 2_200), 0);
});

test.run();
