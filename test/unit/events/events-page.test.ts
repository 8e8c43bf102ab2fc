/** The catalogue of events is what the table in the code says, and names every type with an example that fits. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { namedRows } from '../../../actors/events/event-schemas.js';
import { productId } from '../../../actors/ids.js';
import { examples } from '../../docs/event-examples.js';
import { EVENTS_PAGE, eventsPage } from '../../docs/events-page.js';
import { contentOf } from '../actors/samples.js';
import { Rig } from '../node/node-rig.js';

const test = suite('EVENTS.md');

test('the page is as the table makes it: `npm run build && npm run docs:events` writes it anew', () => {
  assert.fixture(readFileSync(EVENTS_PAGE, 'utf8'), eventsPage());
});

test('every type has an entry, and an example with all fields that it always has', () => {
  const told = new Map(examples().map((event) => [event.type, event.data]));
  for (const { type, row } of namedRows) {
    assert.match(eventsPage(), `### ${type}\n`);
    const data = told.get(type);
    assert.equal(
      Object.keys(row.always).filter((field) => data === undefined || !(field in data)),
      [],
      type,
    );
  }
});

/** Subject, headers and the broker's own data of one message. */
const MESSAGE_BYTES = 184;

test('OPERATING.md computes with the size that an order has on EVENTS', () => {
  const products = Array.from({ length: 5 }, (_, i) => productId(`PROD-00${i}`));
  const rig = new Rig({ source: `/holdfast/${'x'.repeat(36)}` }).receive(100, ...products);
  const bytesOf = (order: string, lines: number): number => {
    const content = contentOf({ lines: products.slice(0, lines).map((product) => ({ product, quantity: 1 })) });
    rig.place(order, content, { correlation: 'req-'.padEnd(20, '7') });
    rig.turn();
    return MESSAGE_BYTES + Buffer.byteLength(rig.last('append').turn.outputs().publicBatch);
  };
  const one = bytesOf('ORD-'.padEnd(30, '1'), 1);
  const further = (bytesOf('ORD-'.padEnd(30, '2'), 5) - one) / 4;
  const [, told, toldFurther] =
    /one line takes ([\d.]+) kB, each further line ([\d.]+) kB/.exec(readFileSync('OPERATING.md', 'utf8')) ?? [];
  assert.ok(Math.abs(Number(told) * 1_000 - one) < 150, `an order of one line takes ${one} bytes`);
  assert.ok(Math.abs(Number(toldFurther) * 1_000 - further) < 100, `each further line takes ${further} bytes`);
});

test.run();
