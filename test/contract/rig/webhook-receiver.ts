// A receiver of webhooks that verifies each request with the specification's own library, and misbehaves as it is told.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** What it does with a request. `never` answers nothing, `close` ends the connection. */
type Reaction = number | 'slow' | 'never' | 'close';

interface Received {
  readonly id: string;
  /** Who sent it: its User-Agent. */
  readonly agent: string;
  readonly missing: string | undefined;
  readonly body: string;
  readonly reaction: Reaction;
}

const SLOW_MS = 60;

export class WebhookReceiver {
  readonly received: Received[] = [];
  /** Requests whose signature or form is wrong. */
  readonly wrong: string[] = [];
  react: (count: number, id: string) => Reaction = () => 204;
  mostAtOnce = 0;
  private atOnce = 0;

  private constructor(
    readonly port: number,
    private readonly server: ReturnType<typeof createServer>,
    readonly secrets: string[],
  ) {}

  static async listen(secret: string): Promise<WebhookReceiver> {
    const secrets = [secret];
    let receiver: WebhookReceiver | undefined;
    const server = createServer((req, res) => {
      let body = '';
      req.on('data', (piece) => {
        body += piece;
      });
      req.on('end', () => receiver?.take(req, res, body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    receiver = new WebhookReceiver((server.address() as AddressInfo).port, server, secrets);
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/in`;
  }

  /** The events that it has taken, in the order of their first arrival. */
  get accepted(): string[] {
    const taken = this.received.filter(
      ({ reaction }) => reaction === 'slow' || (Number(reaction) >= 200 && Number(reaction) < 300),
    );
    return [...new Set(taken.map(({ id }) => id))];
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(req: IncomingMessage, res: ServerResponse, body: string): void {
    const headers = Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)]));
    const id = headers['webhook-id'] ?? '';
    const isVerified = this.secrets.some((secret) => {
      try {
        return (new Webhook(secret).verify(body, headers) as { id: string }).id === id;
      } catch {
        return false;
      }
    });
    if (!isVerified || req.method !== 'POST' || headers['content-type'] !== 'application/json')
      this.wrong.push(`${id} ${body}`);
    const reaction = this.react(this.received.length + 1, id);
    const agent = headers['user-agent'] ?? '';
    this.received.push({ id, agent, missing: headers['holdfast-missing'], body, reaction });
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    res.once('close', () => this.atOnce--);
    if (reaction === 'never') return;
    if (reaction === 'close') req.socket.destroy();
    else if (reaction === 'slow') setTimeout(() => res.writeHead(200).end('taken'), SLOW_MS);
    else res.writeHead(reaction, reaction >= 300 && reaction < 400 ? { location: '/elsewhere' } : {}).end('{}');
  }
}

/** Where an actor's events came in another order than by their versions; empty when all is right. */
export function misplaced(ids: readonly string[]): string[] {
  const last = new Map<string, number>();
  return ids.filter((id) => {
    const cut = id.lastIndexOf('/');
    const [actor, version] = [id.slice(0, cut), Number(id.slice(cut + 1))];
    const isAfter = version > (last.get(actor) ?? 0);
    last.set(actor, version);
    return !isAfter;
  });
}
