/** A reading that gets nothing although its stream grows ends (stream-reader.R3). */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { JetStreamRefusal } from '../../../bus/nats/jetstream.js';
import type { Nats, NatsMessage } from '../../../bus/nats/nats.js';
import { type From, readStream } from '../../../bus/nats/stream-reader.js';

const test = suite('stream reader');
/** Each takes no time here. */
const REQUESTS = 20;

interface Broker {
  /** The stream's last sequence at each request. */
  readonly end: (request: number) => number;
  /** What the broker delivers in this request. */
  readonly delivers?: (request: number) => number | undefined;
  /** What it finds when a message is asked for. */
  readonly shows?: (query: { seq?: number; next_by_subj?: string }) => boolean;
  readonly messages?: number;
}

/** Reads until REQUESTS were answered. @returns what was read, and the error that ended it before */
async function read(from: From, { end, delivers = () => undefined, shows = () => true, messages = 5 }: Broker) {
  const stop = new AbortController();
  let [requests, delivered] = [0, 0];
  const nats = {
    async api(verb: string, body: { seq?: number } = {}) {
      if (verb.startsWith('CONSUMER.CREATE')) return { name: 'c' };
      if (verb.startsWith('STREAM.INFO')) return { state: { last_seq: end(requests), messages } };
      if (!shows(body)) throw new JetStreamRefusal(10037, 'no message found', verb);
      return { message: { seq: body.seq } };
    },
    async request(_subject: string, _payload: string, { until }: { until: (message: NatsMessage) => boolean }) {
      const sequence = delivers(++requests);
      if (sequence !== undefined) {
        const reply = `$JS.ACK.S.c.1.${sequence}.${++delivered}.1000000.0`;
        until({ subject: 's', reply, string: () => 'text' } as unknown as NatsMessage);
      }
      await new Promise(setImmediate);
      until({ subject: 's', headers: { code: 408, description: 'Request Timeout' } } as unknown as NatsMessage);
      if (requests === REQUESTS) stop.abort();
    },
  } as unknown as Nats;
  const sequences: number[] = [];
  try {
    for await (const page of readStream(nats, { stream: 'S', filter: 's', from, signal: stop.signal }))
      sequences.push(...page.map(({ sequence }) => sequence));
  } catch (error) {
    return { sequences, requests, error: (error as Error).message };
  }
  return { sequences, requests, error: undefined };
}

const grows = (request: number) => (request < 2 ? 7 : 8);
const begins: readonly (readonly [string, From])[] = [
  ['new messages', { kind: 'new' }],
  ['the last ones', { kind: 'lasts' }],
  ['a time', { kind: 'time', ms: 1_000 }],
  ['a sequence past the end', { kind: 'sequence', sequence: 100 }],
  ['the sequence after the end', { kind: 'sequence', sequence: 8 }],
];
for (const [name, from] of begins) {
  test(`from ${name}: a stream that grows and delivers nothing ends the reading`, async () => {
    assert.is((await read(from, { end: grows })).error, 'S has message 8, and none after 7 is delivered');
  });

  test(`from ${name}: a stream that stays as it is does not`, async () => {
    assert.equal(await read(from, { end: () => 7 }), { sequences: [], requests: REQUESTS, error: undefined });
  });
}

test('a stream that was empty, and grows', async () => {
  const end = (request: number) => (request < 2 ? 0 : 1);
  assert.match((await read({ kind: 'sequence', sequence: 1 }, { end })).error ?? '', /has message 1,/);
});

test('from a sequence that is there and is not delivered', async () => {
  assert.match((await read({ kind: 'sequence', sequence: 5 }, { end: () => 7 })).error ?? '', /has message 5,/);
});

test('after a message that came, the place is its own', async () => {
  const delivers = (request: number) => (request === 1 ? 6 : undefined);
  const found = await read({ kind: 'sequence', sequence: 5 }, { end: () => 7, delivers });
  assert.equal(found.sequences, [6]);
  assert.match(found.error ?? '', /has message 7, and none after 6/);
});

test('a message that comes between a silent request and the look is no fault', async () => {
  for (let at = 1; at < REQUESTS; at++) {
    const found = await read(
      { kind: 'new' },
      {
        end: (request) => (request < at ? 7 : 8),
        delivers: (request) => (request === at + 1 ? 8 : undefined),
      },
    );
    assert.equal(found, { sequences: [8], requests: REQUESTS, error: undefined }, `at ${at}`);
  }
});

test('a stream that grows by other subjects alone is no fault', async () => {
  const shows = ({ next_by_subj }: { next_by_subj?: string }) => next_by_subj === undefined;
  const found = await read({ kind: 'new' }, { end: grows, shows });
  assert.equal(found, { sequences: [], requests: REQUESTS, error: undefined });
});

test('a damaged copy that counts messages and finds none ends the reading', async () => {
  const found = await read({ kind: 'sequence', sequence: 1 }, { end: () => 7, shows: () => false });
  assert.is(found.error, 'S has message 7, and none after 0 is delivered');
});

test('an emptied stream finds none either, and is no fault', async () => {
  const found = await read({ kind: 'sequence', sequence: 1 }, { end: () => 7, shows: () => false, messages: 0 });
  assert.equal(found, { sequences: [], requests: REQUESTS, error: undefined });
});

test.run();
