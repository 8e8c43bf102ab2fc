/**
 * An off-site for backups, as a server of its own (`holdfast offsite`): archives come in, one a UTC day, and are listed.
 *
 * Law: what is listed is complete, on disk and has the sha256 that its sender named. A refusal comes before the body is read. The
 * same bytes under the same name are there already, and use no day.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock, Logger } from '../../actors/ports/runtime.js';

interface OffsiteOptions {
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Logger;
}

interface OffsiteServer {
  readonly port: number;
  stop(): Promise<void>;
}

interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly uploaded_at: string;
}

const PARTIAL = '.partial-';
const NAME = /^\w[\w.-]{0,199}$/;
const DAY_MS = 86_400_000;
/** Without a byte of a sender. */
const SILENCE_MS = 60_000;
/** While another upload is under way. */
const SOON_S = 60;

export async function startOffsiteServer(options: OffsiteOptions): Promise<OffsiteServer> {
  const { host, port, folder } = options;
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (name.startsWith(PARTIAL)) await rm(join(folder, name), { force: true });
  }
  const desk = new OffsiteDesk(options);
  // A large archive takes as long as it takes.
  const server = createServer({ requestTimeout: 0 }, (req, res) => void desk.serve(req, res, false));
  server.on('checkContinue', (req, res) => void desk.serve(req, res, true));
  server.timeout = SILENCE_MS;
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'another process listens there' : error.message;
      reject(new Error(`Cannot listen on ${host}:${port}: ${why}.`, { cause: error }));
    });
    server.listen(port, host, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

// ---------------------------------------------------------------- machinery

/** An answer that is an error. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterS?: number,
  ) {
    super(message);
  }
}

class OffsiteDesk {
  private isReceiving = false;

  constructor(private readonly options: OffsiteOptions) {}

  async serve(req: IncomingMessage, res: ServerResponse, asksFirst: boolean): Promise<void> {
    try {
      const path = (req.url ?? '').split('?')[0];
      if (path === '/livez' && req.method === 'GET') reply(res, 200, { status: 'alive' });
      else if (path === '/api/backup/list' && req.method === 'GET') {
        reply(res, 200, { status: 'success', data: await this.listed() });
      } else if (path === '/api/backup/upload' && req.method === 'POST') await this.upload(req, res, asksFirst);
      else {
        const known = 'POST /api/backup/upload and GET /api/backup/list';
        throw new Refusal(404, 'not_found', `There is nothing here but ${known}.`);
      }
    } catch (error) {
      refuse(req, res, error, this.options.logger);
    }
  }

  /** Newest first. */
  private async listed(): Promise<Listed[]> {
    const { folder } = this.options;
    const names = new Set(await readdir(folder));
    const found: Listed[] = [];
    for (const name of names) {
      if (!name.endsWith('.json') || !names.has(name.slice(0, -'.json'.length))) continue;
      found.push(JSON.parse(await readFile(join(folder, name), 'utf8')) as Listed);
    }
    return found.sort((a, b) => Date.parse(b.uploaded_at) - Date.parse(a.uploaded_at));
  }

  private async upload(req: IncomingMessage, res: ServerResponse, asksFirst: boolean): Promise<void> {
    const name = String(req.headers['x-backup-name'] ?? '');
    const sha256 = String(req.headers['x-backup-sha256'] ?? '').toLowerCase();
    if (!NAME.test(name) || name.endsWith('.json')) {
      throw new Refusal(
        400,
        'invalid',
        'X-Backup-Name must be 1 to 200 letters, digits, dots, hyphens or underscores.',
      );
    }
    if (!/^[0-9a-f]{64}$/.test(sha256)) {
      throw new Refusal(400, 'invalid', 'X-Backup-SHA256 must be the sha256 of the body, as 64 hex digits.');
    }
    if (this.isReceiving) throw new Refusal(429, 'rate_limited', 'Another upload is under way.', SOON_S);
    this.isReceiving = true;
    try {
      const listed = await this.listed();
      const same = listed.find((each) => each.name === name && each.sha256 === sha256);
      if (same !== undefined) {
        unread(req, res);
        return reply(res, 200, { status: 'success', message: 'It is here already', data: same });
      }
      const now = this.options.clock.now();
      const isUsed = listed.some(({ uploaded_at }) => dayNumber(Date.parse(uploaded_at)) === dayNumber(now));
      if (isUsed && String(req.headers['x-bypass-rate-limit'] ?? '').toLowerCase() !== 'true') {
        const restS = Math.ceil(((dayNumber(now) + 1) * DAY_MS - now) / 1_000);
        throw new Refusal(429, 'rate_limited', 'One upload a UTC day is allowed, and today has had one.', restS);
      }
      if (asksFirst) res.writeContinue();
      const stored = await this.receive(req, name, sha256);
      this.options.logger.info(stored, 'an archive came in');
      reply(res, 201, { status: 'success', message: 'Archive stored', data: stored });
    } finally {
      this.isReceiving = false;
    }
  }

  private async receive(req: IncomingMessage, name: string, sha256: string): Promise<Listed> {
    const { folder, clock } = this.options;
    const [path, partial] = [join(folder, name), join(folder, PARTIAL + name)];
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      const counted = async function* (source: AsyncIterable<Buffer>) {
        for await (const piece of source) {
          hash.update(piece);
          bytes += piece.length;
          yield piece;
        }
      };
      await pipeline(req, counted, createWriteStream(partial));
      if (hash.digest('hex') !== sha256) {
        throw new Refusal(422, 'checksum_mismatch', 'The body has another sha256 than X-Backup-SHA256: send it again.');
      }
      const stored = { name, bytes, sha256, uploaded_at: new Date(clock.now()).toISOString() };
      await synced(partial);
      await rm(`${path}.json`, { force: true }); // One that is replaced is not listed meanwhile.
      await rename(partial, path);
      const about = await open(`${partial}.json`, 'w');
      await about.writeFile(JSON.stringify(stored)).then(() => about.sync());
      await about.close();
      await rename(`${partial}.json`, `${path}.json`);
      await synced(folder);
      return stored;
    } catch (error) {
      await rm(partial, { force: true });
      await rm(`${partial}.json`, { force: true });
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      throw new Refusal(507, 'disk_full', 'The disk of the off-site is full.');
    }
  }
}

const dayNumber = (ms: number): number => Math.floor(ms / DAY_MS);

async function synced(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function refuse(req: IncomingMessage, res: ServerResponse, error: unknown, logger: Logger): void {
  if (res.destroyed || res.headersSent) return void res.destroy();
  unread(req, res);
  if (!(error instanceof Refusal)) {
    logger.warn({ cause: String(error) }, 'a request has failed');
    return reply(res, 500, { status: 'error', code: 'internal', message: 'Something is broken here.', errors: [] });
  }
  const { status, code, message, retryAfterS } = error;
  if (retryAfterS !== undefined) res.setHeader('Retry-After', String(retryAfterS));
  reply(res, status, { status: 'error', code, message, errors: [] });
}

/** What the client still sends is dropped, and the connection ends. */
function unread(req: IncomingMessage, res: ServerResponse): void {
  if (req.complete) return;
  res.setHeader('Connection', 'close');
  req.resume();
}

function reply(res: ServerResponse, status: number, body: object): void {
  res.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  res.end(`${JSON.stringify(body)}\n`);
}
