// A system for the command line that answers as a test says, in turn.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Asked {
  readonly key: string | undefined;
  readonly path: string;
  readonly prefer: string | undefined;
}

/** A server that answers in turn, and the last answer for ever. */
export async function answering(
  answers: readonly ((req: IncomingMessage, res: ServerResponse) => void)[],
  use: (url: string, asked: Asked[]) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [];
  const server = createServer((req, res) => {
    asked.push({
      key: req.headers['idempotency-key'] as string | undefined,
      path: req.url ?? '',
      prefer: req.headers.prefer as string | undefined,
    });
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    req.resume().on('end', () => answer?.(req, res));
    if (answer === hangUp) req.socket.destroy();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

export const hangUp = () => {};
export const reply =
  (status: number, body: object, headers: Record<string, string> = {}) =>
  (_: unknown, res: ServerResponse) =>
    void res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
export const order = (status: string) => ({
  ...{ order_id: 'ORD-1', user_id: 'ada', status, payment_status: 'paid', fulfillment_status: 'unfulfilled' },
  ...{ order_items: [{ product_id: 'A', quantity: 2 }], created_at: 'then', updated_at: 'now' },
});
export const busy = reply(503, { message: 'Too many requests are waiting.' }, { 'Retry-After': '0' });
