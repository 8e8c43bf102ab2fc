// What receives spans in the tests: OTLP over HTTP as protobuf, as the exporter sends it, kept in memory.
//
// Law: it reads the fields of the specification (opentelemetry/proto/trace/v1/trace.proto) by their numbers, with no code of the
// exporter's.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface ReceivedSpan {
  readonly trace: string;
  readonly id: string;
  /** Empty: the root of its trace. */
  readonly parent: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 4 producer. */
  readonly kind: number;
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly about: Readonly<Record<string, string | number>>;
  /** 2: an error. */
  readonly status: number;
  /** Of the process that sent it. */
  readonly resource: Readonly<Record<string, string | number>>;
}

interface OtlpReceiver {
  /** As OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Of each request. */
  readonly headers: readonly IncomingMessage['headers'][];
  /** What it answers from now on; 200 at first. `hang`: nothing. */
  answer: number | 'hang';
  stop(): Promise<void>;
}

export async function otlpReceiver(port = 0): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const receiver = { answer: 200 as number | 'hang' };
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      headers.push(req.headers);
      if (receiver.answer === 'hang') return;
      if (receiver.answer === 200 && req.url === '/v1/traces') {
        const body = Buffer.concat(chunks);
        spans.push(...spansIn(req.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body));
      }
      res.writeHead(receiver.answer, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const { port: at } = server.address() as AddressInfo;
  return Object.assign(receiver, {
    url: `http://127.0.0.1:${at}`,
    spans,
    headers,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

/** A trace as a tree, one line a span, indented below its parent. A span without its parent stands at the left. */
export function treeOf(spans: readonly ReceivedSpan[], line: (span: ReceivedSpan) => string): string[] {
  const ids = new Set(spans.map(({ id }) => id));
  const inOrder = [...spans].sort((a, b) => Number(a.fromNs - b.fromNs));
  const below = (parent: string | undefined, depth: number): string[] =>
    inOrder
      .filter((span) => (parent === undefined ? !ids.has(span.parent) : span.parent === parent))
      .flatMap((span) => [`${'  '.repeat(depth)}${line(span)}`, ...below(span.id, depth + 1)]);
  return below(undefined, 0);
}

// ---------------------------------------------------------------- machinery

type Field = readonly [number: number, value: Buffer | bigint];

function spansIn(request: Buffer): ReceivedSpan[] {
  return messages(request, 1).flatMap((resourceSpans) => {
    const resource = attributes(messages(resourceSpans, 1)[0] ?? Buffer.alloc(0), 1);
    return messages(resourceSpans, 2).flatMap((scopeSpans) =>
      messages(scopeSpans, 2).map((span) => spanOf(span, resource)),
    );
  });
}

function spanOf(span: Buffer, resource: ReceivedSpan['resource']): ReceivedSpan {
  const bytes = (number: number) => messages(span, number)[0] ?? Buffer.alloc(0);
  const whole = (from: Buffer, number: number) =>
    BigInt((fields(from).find(([n]) => n === number)?.[1] ?? 0n) as bigint);
  return {
    ...{ trace: bytes(1).toString('hex'), id: bytes(2).toString('hex'), parent: bytes(4).toString('hex') },
    ...{ name: bytes(5).toString(), kind: Number(whole(span, 6)), fromNs: whole(span, 7), toNs: whole(span, 8) },
    ...{ about: attributes(span, 9), status: Number(whole(bytes(15), 3)), resource },
  };
}

function attributes(message: Buffer, number: number): Record<string, string | number> {
  return Object.fromEntries(
    messages(message, number).map((pair) => {
      const [name, value] = [messages(pair, 1)[0], messages(pair, 2)[0] ?? Buffer.alloc(0)];
      const [[kind, content] = [0, 0n] as const] = fields(value);
      return [String(name), kind === 1 ? String(content) : Number(content)];
    }),
  );
}

const messages = (message: Buffer, number: number): Buffer[] =>
  fields(message).flatMap(([n, value]) => (n === number && typeof value !== 'bigint' ? [value] : []));

/** The fields of a protobuf message: bytes for a length-delimited one, a number for the others. */
function fields(message: Buffer): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('the message ends within a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const [number, type] = [tag >> 3, tag & 7];
    if (type === 0) found.push([number, varint()]);
    else if (type === 1) {
      found.push([number, message.readBigUInt64LE(at)]);
      at += 8;
    } else if (type === 2) {
      const length = Number(varint());
      found.push([number, message.subarray(at, at + length)]);
      at += length;
    } else if (type === 5) {
      found.push([number, BigInt(message.readUInt32LE(at))]);
      at += 4;
    } else throw new Error(`no protobuf: wire type ${type}`);
  }
  return found;
}
