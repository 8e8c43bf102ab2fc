// A payment provider on its own port, with the faults that a test asks for. It recognizes a repeat only by its
// Idempotency-Key, and moves money for every new key: a client that changes the key pays twice.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** The fate of one request. Those of the second line have their effect, but no answer arrives. */
export type Mood =
  | 'good'
  | 'deaf'
  | 'broken'
  | 'busy'
  | 'elsewhere'
  | 'late'
  | 'mute'
  | 'forgetful'
  | 'hanging'
  | 'babbling'
  | 'wordless'
  | 'endless'
  | 'half'
  | 'twice'
  | 'mistaken';

export const MOODS: readonly Mood[] = [
  'good',
  'deaf',
  'broken',
  'busy',
  'elsewhere',
  'late',
  'mute',
  'forgetful',
  'hanging',
  'babbling',
  'wordless',
  'endless',
  'half',
  'twice',
  'mistaken',
];

interface ProviderCall {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Provider {
  readonly url: string;
  readonly asked: ProviderCall[];
  /** The effects in order, such as `capture ORD-1 19.99 EUR`. */
  readonly effects: string[];
  stop(): Promise<void>;
}

interface Account {
  decided?: 'authorized' | 'declined';
  ended?: 'captured' | 'voided';
  captured: bigint;
  currency: string;
}

interface Answer {
  readonly code: number;
  readonly status: string;
}

const DECLINED: Answer = { code: 402, status: 'declined' };
const LATE_MS = 60;

export async function startProvider(options: {
  readonly decide: (order: string) => 'authorized' | 'declined';
  readonly mood: () => Mood;
  readonly key?: string;
}): Promise<Provider> {
  const { decide, mood, key } = options;
  const asked: ProviderCall[] = [];
  const effects: string[] = [];
  const accounts = new Map<string, Account>();
  const told = new Map<string, Answer>();

  function perform(path: string, body: string, idempotencyKey: string): Answer {
    const { order_id, currency } = JSON.parse(body) as { order_id: string; currency: string };
    const amount = /"amount":([0-9.]+),/.exec(body)?.[1] ?? '';
    const cents = BigInt(amount.replace('.', ''));
    const account: Account = accounts.get(order_id) ?? { captured: 0n, currency };
    accounts.set(order_id, account);
    const before = told.get(idempotencyKey);
    if (before !== undefined && (path === 'refunds' || account.ended === undefined))
      return { ...before, code: repeated(before) };
    const done = (status: string): Answer => {
      effects.push(`${path} ${order_id} ${amount} ${currency}`);
      return { code: 201, status };
    };
    const decided = (): Answer => {
      switch (path) {
        case 'authorizations':
          if (account.ended === 'voided') return { code: 409, status: 'voided' };
          if (account.decided !== undefined) return { code: 409, status: account.decided };
          account.decided = decide(order_id);
          return account.decided === 'authorized' ? done('authorized') : DECLINED;
        case 'captures':
          if (account.ended !== undefined)
            return { code: account.ended === 'captured' ? 200 : 409, status: account.ended };
          if (account.decided !== 'authorized') return DECLINED;
          account.ended = 'captured';
          account.captured = cents;
          return done('captured');
        case 'voids':
          if (account.ended !== undefined) return { code: 409, status: account.ended };
          account.ended = 'voided';
          return done('voided');
        case 'refunds':
          if (account.ended !== 'captured' || account.currency !== currency || account.captured < cents)
            return DECLINED;
          account.captured -= cents;
          return done('refunded');
        default:
          return { code: 404, status: 'unknown' };
      }
    };
    const answer = decided();
    told.set(idempotencyKey, answer);
    return answer;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const path = request.url?.replace('/pay/', '') ?? '';
    asked.push({ path, headers: request.headers, body });
    const idempotencyKey = request.headers['idempotency-key'];
    const reply = (code: number, content: string) => {
      response.writeHead(code, { 'content-type': 'application/json' }).end(content);
    };
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) return reply(401, '{}');
    if (typeof idempotencyKey !== 'string') return reply(400, '{}');
    const today = mood();
    if (today === 'deaf') return void request.socket.destroy();
    if (today === 'broken') return reply(500, '{"status":"declined"}');
    if (today === 'busy') return reply(409, '{"error":"this key is in use"}');
    if (today === 'elsewhere') return void response.writeHead(307, { location: '/elsewhere' }).end();
    const { code, status } = perform(path, body, idempotencyKey);
    const content = JSON.stringify({ status, reference: JSON.parse(body).reference });
    const later = () => void setTimeout(() => reply(code, content), LATE_MS);
    switch (today) {
      case 'mute':
        return void request.socket.destroy();
      case 'forgetful':
        return reply(503, content);
      case 'hanging':
        return;
      case 'babbling':
        return reply(200, `<html>${status}</html>`);
      case 'wordless':
        return reply(200, '{"status":"processing"}');
      case 'endless':
        response.writeHead(code);
        return pour(response);
      case 'half':
        response.writeHead(code, { 'content-length': content.length }).write(content.slice(0, 12));
        return void setTimeout(() => request.socket.destroy(), 5);
      case 'late':
        return later();
      case 'twice': {
        const bytes = `HTTP/1.1 ${code} Twice\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(content)}\r\n\r\n${content}`;
        return void request.socket.write(bytes + bytes);
      }
      case 'mistaken':
        return reply(200, '{"status":"refunded","reference":"somebody else\'s"}');
      default:
        return reply(code, content);
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/pay`,
    asked,
    effects,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// ---------------------------------------------------------------- machinery

const repeated = ({ code }: Answer): number => (code === 201 ? 200 : code);

/** Sends until the client gives up. */
function pour(response: ServerResponse): void {
  const more = () => {
    if (!response.destroyed && response.write(' '.repeat(4_096))) setImmediate(more);
  };
  response.on('drain', more);
  more();
}
