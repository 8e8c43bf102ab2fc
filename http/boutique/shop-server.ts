/**
 * The one place that knows gRPC. It stands before the services of a shop, and passes their calls on as they are.
 *
 *  B1. Bytes, metadata, deadline and the status of the answer pass unread and unchanged in both directions.
 *  B2. What is done with an order beside the call delays an answer by at most BESIDE_MS, and never fails it.
 */
import {
  Client,
  credentials,
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { Logger } from '../../actors/ports/runtime.js';
import { CONFIRMATION_PATH, placeOrderPath, type Shop, shopProtos } from './shop-protos.js';

/** A call as it passed: an answered one of the checkout service, or one to the e-mail service. */
export type Passed =
  | { readonly service: 'checkout'; readonly shop: Shop; readonly request: Buffer; readonly answer: Buffer }
  | { readonly service: 'email'; readonly request: Buffer };

interface ShopServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Where the real services are, as `host:port`. A service without one is not served. */
  readonly checkout: string | undefined;
  readonly email: string | undefined;
  /** Keeps the order. The answer waits for it, within shop-server.B2. */
  readonly keep: (passed: Passed) => Promise<void>;
  readonly logger: Logger;
}

export interface ShopServer {
  readonly port: number;
  /** Takes no new calls, and ends what still runs after this time. */
  stop(withinMs: number): Promise<void>;
}

const BESIDE_MS = 100;
const SHOPS: readonly Shop[] = ['hipstershop', 'oteldemo'];

export async function startShopServer(options: ShopServerOptions): Promise<ShopServer> {
  const { host, port, checkout, email, keep, logger } = options;
  const server = new Server();
  const upstreams: Client[] = [];
  const upstreamAt = (address: string): Client => {
    const client = new Client(address, credentials.createInsecure(), CHANNEL);
    upstreams.push(client);
    return client;
  };
  const beside = (passed: Passed) =>
    keep(passed).catch((error: unknown) => logger.error({ err: error }, 'broken code: an order was not kept'));
  const serve = (path: string, handle: Handler) => {
    const definition = rawMethod(path);
    const name = path.slice(path.lastIndexOf('/') + 1);
    server.addService({ [name]: definition }, { [name]: handle });
  };
  if (checkout !== undefined) {
    const upstream = upstreamAt(checkout);
    for (const shop of SHOPS)
      serve(
        placeOrderPath(shop),
        passOn(upstream, async (request, answer) => {
          if (answer !== undefined) await atMost(beside({ service: 'checkout', shop, request, answer }));
        }),
      );
  }
  if (email !== undefined) {
    // The order is confirmed already when its e-mail is asked for: it is kept whatever becomes of the e-mail.
    const upstream = upstreamAt(email);
    const handle = passOn(upstream, async () => {});
    serve(CONFIRMATION_PATH, (call, answer) => {
      void beside({ service: 'email', request: call.request });
      handle(call, answer);
    });
  }
  const health = new HealthImplementation({ '': 'SERVING' });
  health.addToServer(server);
  new ReflectionService(shopProtos).addToServer(server);
  const bound = await bind(server, `${host.includes(':') ? `[${host}]` : host}:${port}`);
  return {
    port: bound,
    async stop(withinMs) {
      health.setStatus('', 'NOT_SERVING');
      const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const timer = setTimeout(() => server.forceShutdown(), withinMs);
      await ended;
      clearTimeout(timer);
      for (const upstream of upstreams) upstream.close();
    },
  };
}

// ---------------------------------------------------------------- machinery

type Handler = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => void;

/** A shop that comes back is reached within two seconds, not within the two minutes of the defaults. */
const CHANNEL = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 2_000 };

/** What belongs to one connection, and not to the call. */
const OF_CONNECTION = ['user-agent', 'content-type', 'te', 'grpc-encoding', 'grpc-accept-encoding', 'accept-encoding'];

const same = (bytes: Buffer): Buffer => bytes;

const rawMethod = (path: string): MethodDefinition<Buffer, Buffer> => ({
  ...{ path, requestStream: false, responseStream: false },
  ...{ requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same },
});

/** shop-server.B1. The deadline and a cancellation come with `parent`. */
function passOn(upstream: Client, before: (request: Buffer, answer: Buffer | undefined) => Promise<void>): Handler {
  return (call, answer) => {
    const metadata = call.metadata.clone();
    for (const name of OF_CONNECTION) metadata.remove(name);
    let message: Buffer | undefined;
    const asked = upstream.makeUnaryRequest(
      call.getPath(),
      same,
      same,
      call.request,
      metadata,
      { parent: call },
      (_, got) => {
        message = got;
      },
    );
    asked.on('metadata', (head: Metadata) => call.sendMetadata(head));
    asked.on('status', ({ code, details, metadata: trailer }) => {
      const told = code === status.OK ? message : undefined;
      void before(call.request, told).then(() => {
        if (told !== undefined) answer(null, told, trailer);
        else answer({ code, details, metadata: trailer });
      });
    });
  };
}

function atMost(work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, BESIDE_MS);
    void work.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(new Error(`BOUTIQUE_PORT: cannot listen on ${address}: ${error.message}`));
    });
  });
}
