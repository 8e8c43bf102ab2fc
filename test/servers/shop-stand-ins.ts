// A shop for the tests: stand-ins for the checkout and the e-mail service of Online Boutique and the OpenTelemetry demo, and a
// client as their frontend is one.
//
// Law: messages are written by the numbers of the shops' .proto files (github.com/GoogleCloudPlatform/microservices-demo,
// protos/demo.proto; github.com/open-telemetry/opentelemetry-demo, pb/demo.proto), with no code of Holdfast's.

import { randomUUID } from 'node:crypto';
import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type status,
} from '@grpc/grpc-js';

/** A card number as its owner would type it. It must be found nowhere. */
export const CARD = '4432-8015-6152-0454';

type ShopName = 'hipstershop' | 'oteldemo';

interface Confirmed {
  readonly id: string;
  /** The bytes of the answer. */
  readonly answer: Buffer;
}

export interface Shop {
  /** `host:port` of the checkout service, and of the e-mail service. */
  readonly address: string;
  readonly confirmed: readonly Confirmed[];
  /** Of each call: its metadata, and the time until its deadline. */
  readonly calls: { readonly metadata: Metadata; readonly restMs: number; readonly request: Buffer }[];
  /** The requests of e-mails. */
  readonly mails: readonly Buffer[];
  /** Status and details of the next answers; undefined: orders are confirmed. */
  refuses: { readonly code: status; readonly details: string } | undefined;
  stop(): void;
}

export async function startShop(port = 0): Promise<Shop> {
  const server = new Server();
  const confirmed: Confirmed[] = [];
  const calls: Shop['calls'] = [];
  const mails: Buffer[] = [];
  const placeOrder = (shop: ShopName) => (call: Call, answer: Answer) => {
    const deadline = Number(call.getDeadline());
    calls.push({ metadata: call.metadata, restMs: deadline - Date.now(), request: call.request });
    if (made.refuses !== undefined) return answer({ ...made.refuses, metadata: trailer('x-why', 'refused') });
    const id = randomUUID();
    const bytes = orderAnswer(shop, id);
    confirmed.push({ id, answer: bytes });
    const head = new Metadata();
    head.set('x-shop', 'stand-in');
    call.sendMetadata(head);
    answer(null, bytes, trailer('x-trailer', id));
  };
  for (const shop of ['hipstershop', 'oteldemo'] as const)
    server.addService({ PlaceOrder: rawMethod(pathOf(shop)) }, { PlaceOrder: placeOrder(shop) });
  server.addService(
    { SendOrderConfirmation: rawMethod(MAIL) },
    {
      SendOrderConfirmation: (call: Call, answer: Answer) => {
        mails.push(call.request);
        answer(null, Buffer.alloc(0));
      },
    },
  );
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, at) =>
      error === null ? resolve(at) : reject(error),
    );
  });
  const made: Shop = {
    ...{ address: `127.0.0.1:${bound}`, confirmed, calls, mails, refuses: undefined },
    stop: () => server.forceShutdown(),
  };
  return made;
}

export interface Reply {
  readonly answer?: Buffer;
  readonly error?: ServiceError;
  readonly head?: Metadata;
  readonly trailer?: Metadata;
}

export class Frontend {
  private readonly client: Client;

  constructor(address: string) {
    this.client = new Client(address, credentials.createInsecure(), { 'grpc.max_reconnect_backoff_ms': 500 });
  }

  placeOrder(
    user: string,
    { shop = 'hipstershop', deadlineMs = 20_000 }: { shop?: ShopName; deadlineMs?: number } = {},
  ) {
    const metadata = new Metadata();
    metadata.set('traceparent', TRACE);
    return this.call(pathOf(shop), orderRequest(shop, user), metadata, Date.now() + deadlineMs);
  }

  /** As the checkout service asks for an e-mail about an order. */
  confirm(id: string, email: string): Promise<Reply> {
    const request = Buffer.concat([text(1, email), bytes(2, orderResult('hipstershop', id))]);
    return this.call(MAIL, request, new Metadata(), Date.now() + 20_000);
  }

  close(): void {
    this.client.close();
  }

  private call(path: string, request: Buffer, metadata: Metadata, deadline: number): Promise<Reply> {
    return new Promise((resolve) => {
      let reply: Reply = {};
      const call = this.client.makeUnaryRequest(path, same, same, request, metadata, { deadline }, (error, answer) => {
        reply = { ...reply, ...(error !== null && { error }), ...(answer !== undefined && { answer }) };
      });
      call.on('metadata', (head) => {
        reply = { ...reply, head };
      });
      call.on('status', ({ metadata: end }) => resolve({ ...reply, trailer: end }));
    });
  }
}

export const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

// ---------------------------------------------------------------- messages

/** Of the first item: 67.989999999 USD, as a shop has it that converts currencies. */
function orderResult(shop: ShopName, id: string): Buffer {
  return Buffer.concat([
    text(1, id),
    text(2, `TRACK-${id.slice(0, 8)}`),
    bytes(3, money('USD', 8, 990_000_000)),
    bytes(4, address(shop)),
    bytes(5, item('OLJCESPC7Z', 2, money('USD', 67, 989_999_999))),
    bytes(5, item('66VCHSJNUP', 1, money('USD', 18, 490_000_000))),
  ]);
}

/** With a field that no .proto file names: whoever passes the answer on must keep it. */
const orderAnswer = (shop: ShopName, id: string): Buffer =>
  Buffer.concat([bytes(1, orderResult(shop, id)), text(99, 'unknown field')]);

function orderRequest(shop: ShopName, user: string): Buffer {
  const card = Buffer.concat([text(1, CARD), number(2, 672), number(3, 2039), number(4, 1)]);
  return Buffer.concat([
    ...[text(1, user), text(2, 'USD'), bytes(3, address(shop)), text(5, `${user}@example.com`)],
    bytes(6, card),
  ]);
}

const address = (shop: ShopName): Buffer =>
  Buffer.concat([
    ...[text(1, '1600 Amphitheatre Parkway'), text(2, 'Mountain View'), text(3, 'CA'), text(4, 'United States')],
    shop === 'hipstershop' ? number(5, 94_043) : text(5, '94043'),
  ]);

const item = (product: string, quantity: number, cost: Buffer): Buffer =>
  Buffer.concat([bytes(1, Buffer.concat([text(1, product), number(2, quantity)])), bytes(2, cost)]);

const money = (currency: string, units: number, nanos: number): Buffer =>
  Buffer.concat([text(1, currency), number(2, units), number(3, nanos)]);

// ---------------------------------------------------------------- the wire

function varint(value: number): Buffer {
  const found: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) found.push((left % 128) | 0x80);
  return Buffer.from([...found, left]);
}

const number = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field: number, value: Buffer): Buffer =>
  Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
const text = (field: number, value: string): Buffer => bytes(field, Buffer.from(value));

const MAIL = '/hipstershop.EmailService/SendOrderConfirmation';
const pathOf = (shop: ShopName): string => `/${shop}.CheckoutService/PlaceOrder`;

type Call = ServerUnaryCall<Buffer, Buffer>;
type Answer = (error: object | null, value?: Buffer, trailer?: Metadata) => void;

const same = (value: Buffer): Buffer => value;

const rawMethod = (path: string): MethodDefinition<Buffer, Buffer> => ({
  ...{ path, requestStream: false, responseStream: false },
  ...{ requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same },
});

function trailer(name: string, value: string): Metadata {
  const metadata = new Metadata();
  metadata.set(name, value);
  return metadata;
}
