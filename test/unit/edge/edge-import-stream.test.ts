/** A CSV file that is received while it arrives: what shows meanwhile, how it breaks off, and how it is completed. */

import { type ClientRequest, request } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { boundedWork, InOrder } from '../../../http/inventory/bounded-work.js';
import { type CsvRecord, readCsv } from '../../../http/inventory/csv.js';
import { patientMs } from '../../deadlines.js';
import { type Fixture, startFixture } from './edge-fixture.js';
import { realClock } from './fake-owners.js';

const test = suite<{ f: Fixture }>('the edge: a CSV file that arrives');
test.before.each(async (context) => {
  context.f = await startFixture();
});
test.after.each(({ f }) => f.stop());

const DEADLINE_MS = patientMs(20_000);
const HEADER = 'product_id,name,unit_price,stock\n';
const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `n${from + i},"Näme, ${from + i}",1.5,2\n`).join('');

interface Upload {
  readonly sent: ClientRequest;
  readonly reply: Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
}

function upload(f: Fixture, headers: Record<string, string> = {}): Upload {
  const sent = request(`${f.base}/api/inventory/import`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv', ...headers },
  });
  const reply = new Promise<Awaited<Upload['reply']>>((resolve, reject) => {
    sent.on('error', reject).on('response', (came) => {
      let text = '';
      came
        .on('data', (chunk) => (text += chunk))
        .on('end', () => {
          const { data, ...rest } = JSON.parse(text) as { data?: object };
          resolve({ status: came.statusCode ?? 0, body: { ...rest, ...data } });
        });
    });
  });
  reply.catch(() => {}); // A test that cuts the request does not wait for its reply.
  return { sent, reply };
}

const whole = (f: Fixture, file: string | Buffer, headers: Record<string, string> = {}) => {
  const { sent, reply } = upload(f, headers);
  sent.end(file);
  return reply;
};

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const endsAt = Date.now() + DEADLINE_MS; !(await holds()); ) {
    if (Date.now() > endsAt) throw new Error(`${what} did not come in time`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const isThere = (f: Fixture, id: string) => async () => (await f.get(`/api/inventory/${id}`)).status === 200;
const stocksOf = (f: Fixture) => [...f.owners.productStates.values()].map(({ onHand }) => onHand);

test('rows show before the rest of their file has been sent', async ({ f }) => {
  const { sent, reply } = upload(f);
  sent.write(HEADER + rows(0, 500));
  await until(isThere(f, 'n499'), 'the last row of the first half');
  sent.write(rows(500, 501).slice(0, -3));
  sent.end(rows(500, 501).slice(-3) + rows(501, 1_000));
  const { status, body } = await reply;
  assert.equal([status, body.rows, body.imported, body.failed], [200, 1_000, 1_000, 0]);
  assert.ok(stocksOf(f).length === 1_000 && stocksOf(f).every((stock) => stock === 2));
});

test('a file that was cut off is completed by the whole file under its key, each row once', async ({ f }) => {
  const key = { 'idempotency-key': 'cut-1' };
  const { sent } = upload(f, key);
  sent.write(HEADER + rows(0, 700) + rows(700, 701).slice(0, 8));
  await until(isThere(f, 'n699'), 'the last whole row');
  sent.destroy();
  for (const time of ['first', 'again']) {
    const { status, body } = await whole(f, HEADER + rows(0, 1_000), key);
    assert.equal([status, body.rows, body.imported], [200, 1_000, 1_000], time);
    assert.ok(stocksOf(f).length === 1_000 && stocksOf(f).every((stock) => stock === 2), time);
  }
});

test('a client that closes only its sending side gets the count of rows so far', async ({ f }) => {
  const socket = connect(f.edge.ports.main, '127.0.0.1');
  const heard = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk) => (text += chunk)).on('close', () => resolve(text));
  });
  const body = HEADER + rows(0, 30);
  socket.end(
    `POST /api/inventory/import HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nIdempotency-Key: half\r\nContent-Length: ${body.length + 100}\r\n\r\n${body}`,
  );
  assert.match(
    await heard,
    /^HTTP\/1\.1 400 [\s\S]*cut off[\s\S]*"rows":30,"imported":30,"failed":0,"idempotency_key":"half"/,
  );
});

test('invalid text halfway is reported with the rows before it; the corrected file completes it', async ({ f }) => {
  const bad = Buffer.from(HEADER + rows(0, 2_000));
  bad[bad.indexOf('n1500,') + 8] = 0xff;
  const { status, body } = await whole(f, bad);
  assert.equal([status, body.code], [400, 'invalid']);
  assert.equal([body.rows, body.imported, f.owners.productStates.size], [1_500, 1_500, 1_500]);
  assert.match(String(body.message), /on line 1502\. 1500 rows were imported before that/);
  const again = await whole(f, HEADER + rows(0, 2_000), { 'idempotency-key': String(body.idempotency_key) });
  assert.equal([again.status, again.body.imported], [200, 2_000]);
  assert.ok(stocksOf(f).length === 2_000 && stocksOf(f).every((stock) => stock === 2));
});

test('a file that breaks off reports the rows before it, be it one or none', async ({ f }) => {
  const said: string[] = [];
  for (const before of ['n0,N,1,1\n', 'n0,N,1,many\n', ''])
    said.push(String((await whole(f, Buffer.from(`${HEADER}${before}\xff`, 'latin1'))).body.message));
  assert.match(said[0] ?? '', /on line 3\. One row was imported before that and stays\. Correct the file and send/);
  assert.match(said[1] ?? '', /on line 3\. No row was imported before that\. Correct the file and send/);
  assert.is(said[2], 'body is not valid UTF-8 on line 2.');
});

test('after an internal error the server does not wait for the rest of the file', async ({ f }) => {
  f.owners.interfereStock = async () => {
    throw new Error('broken');
  };
  const { sent, reply } = upload(f);
  const closed = new Promise<unknown>((resolve) => sent.on('close', () => resolve('closed')));
  sent.write(HEADER + rows(0, 100));
  assert.is((await reply).status, 500);
  const late = new Promise<unknown>((resolve) => setTimeout(resolve, DEADLINE_MS, 'still open').unref());
  assert.is(await Promise.race([closed, late]), 'closed');
});

test('too many rows end the file, and the rows before them count', async ({ f }) => {
  const many = await whole(f, `${HEADER}${'p,P,1,1\n'.repeat(limits.importRows + 1)}`);
  assert.equal([many.status, many.body.code, many.body.imported], [413, 'too_large', limits.importRows]);
});

test('a file that announces too many bytes is refused before any row is received', async ({ f }) => {
  const { sent, reply } = upload(f, { 'content-length': String(limits.importBytes + 1) });
  sent.write(HEADER + rows(0, 10));
  assert.is((await reply).status, 413);
  sent.destroy();
  assert.is(f.owners.productStates.size, 0);
});

test('a line with other content under the same key is reported, and the others are received', async ({ f }) => {
  const key = { 'idempotency-key': 'mine' };
  await whole(f, HEADER + rows(0, 3), key);
  const { status, body } = await whole(f, HEADER + rows(0, 5).replace('n1,"Näme, 1",1.5,2', 'n1,One,1.5,9'), key);
  assert.equal([status, body.imported, body.failed], [200, 4, 1]);
  const [row] = body.failed_rows as { line: number; code: string; errors: { message: string }[] }[];
  assert.equal([row?.line, row?.code], [3, 'idempotency_mismatch']);
  assert.match(String(row?.errors[0]?.message), 'adjust it');
  assert.ok(stocksOf(f).every((stock) => stock === 2));
});

test('rows of one product are received in order, those of others in parallel', async ({ f }) => {
  const begun: string[] = [];
  let slow = true;
  f.owners.interfereStock = async ({ product, command }) => {
    begun.push(`${product} ${'name' in command ? command.name : ''}`);
    if (product === 'same') await until(() => begun.includes('other 2') && !slow, 'the other');
    return undefined;
  };
  const file = `${HEADER}same,0,1,1\nother,1,1,1\nother,2,1,1\n${Array.from({ length: 20 }, (_, i) => `same,${i + 3},1,1\n`).join('')}`;
  const reply = whole(f, file);
  await until(() => begun.includes('other 2'), 'the other product');
  assert.equal(
    begun.filter((row) => row.startsWith('same')),
    ['same 0'],
  );
  slow = false;
  assert.is((await reply).body.imported, 23);
  assert.equal(
    begun.filter((row) => row.startsWith('same')).map((row) => Number(row.slice(5))),
    [0, ...Array.from({ length: 20 }, (_, i) => i + 3)],
  );
  assert.equal([(await f.get('/api/inventory/same')).at('data.name'), stocksOf(f).sort()], ['22', [2, 21]]);
});

test('a file that runs out of time reports how far it came', async (context) => {
  let passedMs = 0;
  await context.f.stop();
  const f = await startFixture({ clock: { ...realClock, monotonic: () => performance.now() + passedMs } });
  context.f = f;
  f.owners.interfereStock = async ({ product }) => {
    if (product === 'n99') passedMs = limits.importMs;
    return undefined;
  };
  const { status, body } = await whole(f, HEADER + rows(0, 5_000), { 'idempotency-key': 'late' });
  assert.equal([status, body.code, body.idempotency_key], [503, 'unavailable', 'late']);
  assert.ok(Number(body.imported) >= 99 && Number(body.imported) < 200, `${body.imported}`);
  const again = await whole(f, HEADER + rows(0, 5_000), { 'idempotency-key': 'late' });
  assert.is(again.body.imported, 5_000);
  assert.ok(stocksOf(f).every((stock) => stock === 2));
});

test('a node that owns no stock says so once, not for every row', async ({ f }) => {
  let asked = 0;
  f.owners.interfereProduct = async () => {
    if (++asked > 60) throw new Unavailable('another node keeps it');
  };
  const { status, body } = await whole(f, HEADER + rows(0, 5_000), { 'idempotency-key': 'kept' });
  assert.equal([status, body.code, body.idempotency_key], [503, 'unavailable', 'kept']);
  assert.ok(asked <= 60 + 2 * limits.receiveAtOnce, `${asked} rows were tried`);
  f.owners.interfereProduct = undefined;
  assert.is((await whole(f, HEADER + rows(0, 5_000), { 'idempotency-key': 'kept' })).body.imported, 5_000);
  assert.ok(stocksOf(f).every((stock) => stock === 2));
});

test('a file of wrong rows does not starve other requests', async ({ f }) => {
  let done = false;
  const reply = whole(f, HEADER + 'W,x,nope,1\n'.repeat(20_000)).finally(() => (done = true));
  let turns = 0;
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  assert.is((await reply).body.failed, 20_000);
  assert.ok(turns >= 20_000 / limits.receiveAtOnce, `${turns} turns`);
});

test('a slow client gets 408; a client that the server holds back has all the time that takes', async (context) => {
  await context.f.stop();
  const f = await startFixture({ patience: { ...limits, headersMs: 500, requestMs: 1_000 } });
  context.f = f;
  const { sent, reply } = upload(f);
  sent.write(HEADER + rows(0, 10));
  const { status, body } = await reply;
  assert.equal([status, body.code, body.imported], [408, 'too_slow', 10]);
  sent.destroy();

  const beganAt = performance.now();
  f.owners.interfereStock = async ({ command }) => {
    if (command.ref.length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    return undefined;
  };
  // More than the buffers of a connection hold: its end is sent when most rows are received.
  const long = await whole(f, HEADER + rows(0, 12_000).replaceAll('Näme', 'N'.repeat(900)));
  assert.equal([long.status, long.body.imported], [200, 12_000]);
  assert.ok(performance.now() - beganAt > 2_000, 'it took longer than a client may');
});

test('the server reads no more of a file than it can receive', async () => {
  const text = `${HEADER}${rows(0, 50_000)}`;
  let sentRows = 0;
  async function* body() {
    for (let at = 0; at < text.length; at += 1_000) {
      const piece = text.slice(at, at + 1_000);
      sentRows += piece.split('\n').length - 1;
      yield Buffer.from(piece);
    }
  }
  let begun = 0;
  let ended = 0;
  let furthest = 0;
  const inOrder = new InOrder();
  await boundedWork(readCsv(body(), COLUMNS), limits.receiveAtOnce, async (record) => {
    begun++;
    assert.ok(begun - ended <= limits.receiveAtOnce);
    await inOrder.after(String(record.line % 7), () => new Promise((resolve) => setImmediate(resolve)));
    ended++;
    furthest = Math.max(furthest, sentRows - ended);
    return true;
  });
  assert.is(ended, 50_000);
  assert.ok(furthest < 200, `${furthest} rows were read ahead`);
});

const COLUMNS = { required: ['product_id', 'name', 'unit_price', 'stock'], optional: [] };

/** The rows of a file that arrives in pieces of `size` bytes; after each piece, the rows read so far. */
async function readIn(file: Buffer, size: number) {
  const records: CsvRecord[] = [];
  const after: number[] = [];
  async function* body() {
    for (let at = 0; at < file.length; at += size) {
      yield file.subarray(at, at + size);
      after.push(records.length);
    }
  }
  for await (const record of readCsv(body(), COLUMNS)) records.push(record);
  return { records, after };
}

test('cut into any pieces, a file has the same rows', async () => {
  const value = fc.constantFrom(
    'a',
    '1',
    '',
    ' b ',
    '"c"',
    '"Grüße, ""x"""',
    '"two\nlines"',
    '"two\r\nlines\n"',
    '東京',
    'a"b',
    '"C"d',
    '" "',
    '😀',
  );
  const row = fc.array(value, { minLength: 3, maxLength: 5 }).map((values) => values.join(','));
  const end = fc.constantFrom('\n', '\r\n');
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 8 }), end, fc.boolean(), async (rows, end, isEnded) => {
      const text = ['\ufeffproduct_id,name,unit_price,stock', 'a,A,1,1', ...rows].join(end) + (isEnded ? end : '');
      const file = Buffer.from(text);
      const { records } = await readIn(file, file.length);
      for (const size of [1, 2, 3, 5, 7, 16])
        assert.equal((await readIn(file, size)).records, records, `${size}: ${text}`);
    }),
    { numRuns: 300 },
  );
});

test('cut into any pieces, invalid text is found at the same place, with the same rows before it', async () => {
  const rows = ['a,é,1,1', 'b,東京,1,1', 'c,\ufeff\ufffd,1,1', 'd,😀,1,1', 'e,E,1,1'];
  const file = Buffer.from(`\ufeff${HEADER}${rows.join('\n')}\n`);
  const bad = [[0xff], [0x80], [0xc3, 0x28], [0xf0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xc0, 0xaf]];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...bad), fc.nat(file.length), fc.integer({ min: 1, max: 9 }), readToItsEnd),
    { numRuns: 500 },
  );
  async function readToItsEnd(bytes: readonly number[], at: number, size: number): Promise<void> {
    const broken = Buffer.concat([file.subarray(0, at), Buffer.from(bytes), file.subarray(at)]);
    const [inOne, inPieces] = [await untilItsEnd(broken, broken.length), await untilItsEnd(broken, size)];
    assert.equal(inPieces, inOne);
    const line = file.subarray(0, at).toString('utf8').split('\n').length;
    assert.equal(inOne.slice(-1), [`body is not valid UTF-8 on line ${line}.`]);
  }
  async function untilItsEnd(file: Buffer, size: number): Promise<unknown[]> {
    const seen: unknown[] = [];
    async function* body() {
      for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
    }
    try {
      for await (const record of readCsv(body(), COLUMNS)) seen.push(record);
    } catch (error) {
      seen.push((error as Error).message);
    }
    return seen;
  }
});

test('a row is read as soon as its line has ended', async () => {
  for (const end of ['\n', '\r\n', '\r']) {
    for (const line of ['p,P,1,1', '"p","P","1","1"', 'p,"P, p",1, "1" ', 'p,P,1,', 'p,Pép,1,1']) {
      const length = Buffer.byteLength(line + end);
      const head = 'product_id,name,unit_price,stock'.padEnd(length * 8 - end.length, ' ');
      const { after } = await readIn(Buffer.from(head + end + `${line}${end}`.repeat(5)), length);
      assert.equal(after, [...Array(8).fill(0), 1, 2, 3, 4, 5], JSON.stringify(line + end));
    }
  }
});

test('an unreadable row does not affect other rows', async () => {
  const bad = ['b,"B" x,1,1', 'b,"B"x,1,1', 'b,B"B,1,1', 'b,B,1', 'b,B,1,1,1', '""x', `b,${'B'.repeat(20_000)},1,1`];
  for (const row of bad) {
    const { records } = await readIn(Buffer.from(`${HEADER}a,A,1,1\n${row}\n\n \nc,"C\r\n""C""",1,\n`), 7);
    assert.equal(
      records.map((record) => [record.line, 'problem' in record]),
      [
        [2, false],
        [3, true],
        [7, false],
      ],
      row,
    );
    assert.equal(records[2], { line: 7, values: { product_id: 'c', name: 'C\r\n"C"', unit_price: '1', stock: '' } });
  }
});

test('after a failure no further work begins, and work under way is awaited', async () => {
  let begun = 0;
  let ended = 0;
  let release = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const all = boundedWork([1, 2, 3, 4, 5, 6], 3, async (i) => {
    begun++;
    if (i === 3) throw new Error('the third');
    await gate;
    ended++;
    return true;
  });
  let isOver = false;
  const over = all.catch((error: Error) => {
    isOver = true;
    return error.message;
  });
  await until(() => begun === 3, 'three');
  assert.is(isOver, false);
  release();
  assert.is(await over, 'the third');
  assert.equal([begun, ended], [3, 2]);
});

test.run();
