/** The off-site API over HTTP: `holdfast offsite` (http/backup/offsite-server.ts), or whoever speaks as it does. */
import { createReadStream } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { type Archive, DayUsed, type Offsite, type Stored } from './offsite.js';

/** Without a byte in either direction. */
const SILENCE_MS = 60_000;
const MOST_ANSWER = 4_194_304;

export function httpOffsite(url: string): Offsite {
  const base = url.replace(/\/+$/, '');
  const place = base.replace(/\/\/[^/]*@/, '//');
  return {
    place,
    async list(signal) {
      const { status, body } = await ask('GET', `${base}/api/backup/list`, {}, undefined, signal);
      if (status !== 200) throw new Error(`the list of ${place} was refused: ${messageIn(status, body)}`);
      const { data } = JSON.parse(body) as { readonly data: readonly ListedArchive[] };
      return data.map(({ name, bytes, sha256, uploaded_at }): Stored => {
        const at = Date.parse(uploaded_at);
        if (Number.isNaN(at)) throw new Error(`the list of ${place} has no time for ${name}`);
        return { name, bytes, sha256, at };
      });
    },
    isSame: async ({ sha256 }, archive) => sha256 === archive.sha256,
    async upload(archive, bypass, signal) {
      const { name, bytes, sha256 } = archive;
      const headers = {
        'Content-Type': 'application/octet-stream',
        'Content-Length': String(bytes),
        'X-Backup-Name': name,
        'X-Backup-SHA256': sha256,
        Expect: '100-continue', // A refusal comes before the body is sent.
        ...(bypass && { 'X-Bypass-Rate-Limit': 'true' }),
      };
      const { status, body, retryAfterS } = await ask('POST', `${base}/api/backup/upload`, headers, archive, signal);
      if (status === 429) throw new DayUsed(retryAfterS === undefined ? undefined : retryAfterS * 1_000);
      if (status !== 200 && status !== 201) throw new Error(`${place} refused ${name}: ${messageIn(status, body)}`);
      const { data } = JSON.parse(body) as { readonly data: ListedArchive };
      if (data.sha256 !== sha256 || data.bytes !== bytes) throw new Error(`${place} has stored other bytes of ${name}`);
    },
  };
}

// ---------------------------------------------------------------- machinery

interface ListedArchive {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly uploaded_at: string;
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly retryAfterS: number | undefined;
}

function ask(
  method: 'GET' | 'POST',
  url: string,
  headers: Readonly<Record<string, string>>,
  archive: Archive | undefined,
  signal: AbortSignal,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const start = url.startsWith('https:') ? tlsRequest : plainRequest;
    const req = start(url, { method, headers, signal, timeout: SILENCE_MS, agent: false });
    const failed = (error: unknown) =>
      reject(new Error(`the off-site does not answer: ${error instanceof Error ? error.message : String(error)}`));
    let isAnswered = false;
    req.once('timeout', () => req.destroy(new Error(`not a byte in ${SILENCE_MS / 1_000} s`)));
    req.on('error', (error) => {
      if (!isAnswered) failed(error); // A refusal may come while the body is still sent.
    });
    req.once('response', (res) => {
      isAnswered = true;
      const after = res.headers['retry-after'] ?? '';
      const retryAfterS = /^\d{1,6}$/.test(after) ? Number(after) : undefined;
      textOf(res).then((body) => resolve({ status: res.statusCode ?? 0, body, retryAfterS }), failed);
    });
    if (archive === undefined) return void req.end();
    req.once('continue', () => {
      pipeline(createReadStream(archive.path), req).catch((error) => {
        if (!isAnswered) failed(error);
      });
    });
    req.flushHeaders();
  });
}

async function textOf(res: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of res) {
    bytes += piece.length;
    if (bytes > MOST_ANSWER) throw new Error('its answer is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function messageIn(status: number, body: string): string {
  try {
    return String((JSON.parse(body) as { readonly message?: unknown }).message ?? status);
  } catch {
    return `status ${status}`;
  }
}
