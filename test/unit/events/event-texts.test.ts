/** A message of EVENTS is taken apart into the texts it was made of. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decoded, elementsOf, eventTexts, membersOf, stringIn } from '../../../bus/events/event-texts.js';

const test = suite('event texts');

test('events are cut from their message as they stand there', () => {
  const texts = [
    '{"id":"order/a/1","type":"order.placed.v1","data":{"id":"x","total":9007199254740993.01,"x":[1,{"y":"]},{"}]}}',
    '{"id":"order/\\"\\\\/2","type":7,"data":{"z":"\\\\\\""}}',
    '{}',
  ];
  for (const between of [',', ' ,\n ']) {
    const found = eventTexts(`[${texts.join(between)}]`);
    assert.equal(
      found.map(({ text }) => text),
      texts,
    );
    assert.equal(
      found.map((event) => [stringIn(event, 'id'), stringIn(event, 'type')]),
      [
        ['order/a/1', 'order.placed.v1'],
        ['order/"\\/2', ''],
        ['', ''],
      ],
    );
    assert.is(found[0]?.members.get('data'), '{"id":"x","total":9007199254740993.01,"x":[1,{"y":"]},{"}]}');
  }
  assert.equal(eventTexts('[]'), []);
});

test('any JSON is taken apart into the texts it was made of', () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(fc.array(json), (values) => {
      assert.equal(
        elementsOf(JSON.stringify(values)),
        values.map((value) => JSON.stringify(value)),
      );
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), json), (object) => {
      const wanted = Object.entries(object).map(([name, value]) => [name, JSON.stringify(value)]);
      assert.equal([...membersOf(JSON.stringify(object))], wanted);
    }),
    { numRuns: 300 },
  );
  const spaced = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 }));
  fc.assert(
    fc.property(fc.array(spaced), (objects) => {
      const found = eventTexts(JSON.stringify(objects, null, 2));
      assert.equal(
        found.map(({ text }) => JSON.parse(text)),
        JSON.parse(JSON.stringify(objects)),
      );
      for (const { text, members } of found) {
        const values = [...members].map(([name, value]) => [name, JSON.parse(value)]);
        assert.equal(values, Object.entries(JSON.parse(text)));
      }
    }),
    { numRuns: 300 },
  );
  fc.assert(fc.property(fc.string(), (text) => assert.is(decoded(JSON.stringify(text)), text)));
});

test('what is no JSON array of objects is refused', () => {
  for (const text of ['', '{}', '[', ']', '[7]', '[{}', '[{}]]', '[{},]', '[,{}]', '[{"id":"a]', '[{"a":[1}]'])
    assert.throws(() => eventTexts(text), /no /, text);
  for (const text of ['{"a"}', '{a:1}', '{"a":1,}', '{"a" 1}', '[]']) assert.throws(() => membersOf(text), /no /, text);
});

test.run();
