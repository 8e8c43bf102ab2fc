/**
 * One attempt: a POST over a connection of its own, which ends with it.
 *
 * Law: an attempt ends within its deadline, whatever the receiver does. What counts is the status. Of the answer's body no more
 * than a limit is read, and nothing is kept. A redirect is an answer like any other: it is not followed.
 */
import { type ClientRequest, type IncomingMessage, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import type { Socket } from 'node:net';
import { limits } from '../../actors/limits.js';
import type { TargetGuard } from './target-guard.js';

interface Posted {
  readonly status: number;
  /** From the header Retry-After, if it is a number of seconds. */
  readonly retryAfterMs: number | undefined;
}

export interface Poster {
  /** @throws Error with the reason in words when there was no answer */
  post(url: string, headers: Readonly<Record<string, string>>, body: string, signal: AbortSignal): Promise<Posted>;
}

interface Deadlines {
  readonly connectMs: number;
  readonly answerMs: number;
}

const DEADLINES: Deadlines = { connectMs: limits.webhookConnectMs, answerMs: limits.webhookAnswerMs };
/** After the status, the body may still arrive for this long: a receiver that is cut off would report a fault. */
const BODY_MS = 1_000;

export function guardedPoster(guard: TargetGuard, deadlines = DEADLINES): Poster {
  return {
    post(url, headers, body, signal) {
      return new Promise((resolve, reject) => {
        const refusal = guard.whyNot(url);
        if (refusal !== undefined) return reject(new Error(`the url ${refusal}`));
        const send = url.startsWith('https:') ? overHttps : overHttp;
        const request = send(url, {
          method: 'POST',
          headers: { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' },
          lookup: guard.lookup,
          agent: false,
          maxHeaderSize: limits.headerBytes,
          signal,
        });
        const stop = timed(request, deadlines);
        request.once('response', (response) => {
          const { statusCode: status = 0, headers: answered } = response;
          readOut(response, () => {
            stop();
            request.destroy();
            resolve({ status, retryAfterMs: secondsOf(answered['retry-after']) });
          });
        });
        request.once('error', (error) => {
          stop();
          reject(new Error(wordsOf(error)));
        });
        request.on('error', () => {}); // What comes after the answer.
        request.once('close', () => {
          stop();
          reject(new Error('the connection was closed without an answer')); // Such as after a 101.
        });
        request.end(body);
      });
    },
  };
}

// ---------------------------------------------------------------- machinery

/** Ends the request at its deadlines. @returns a function that takes them back */
function timed(request: ClientRequest, { connectMs, answerMs }: Deadlines): () => void {
  const late = (ms: number, what: string) =>
    setTimeout(() => request.destroy(new Error(`${what} within ${ms / 1_000} s`)), ms);
  const connect = late(connectMs, 'there was no connection');
  const answer = late(answerMs, 'there was no answer');
  request.once('socket', (socket: Socket & { readonly encrypted?: boolean }) => {
    socket.once(socket.encrypted ? 'secureConnect' : 'connect', () => clearTimeout(connect));
  });
  return () => {
    clearTimeout(connect);
    clearTimeout(answer);
  };
}

/** Calls back once: at the end of the body, at its limit, or after a moment. */
function readOut(response: IncomingMessage, over: () => void): void {
  let bytes = 0;
  let isOver = false;
  const end = () => {
    clearTimeout(timer);
    if (!isOver) over();
    isOver = true;
  };
  const timer = setTimeout(end, BODY_MS);
  response.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > limits.webhookAnswerBytes) end();
  });
  response.once('end', end).once('close', end).on('error', end);
}

function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined;
}

const MEANINGS: { readonly [code: string]: string } = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed without an answer',
  ENOTFOUND: 'the name has no address',
  EAI_AGAIN: 'the name could not be resolved',
  HPE_HEADER_OVERFLOW: 'the headers of the answer are too large',
};

/** An error of several addresses has only a code, and the reasons inside. */
function wordsOf(error: NodeJS.ErrnoException): string {
  const inner = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException | undefined) : undefined;
  const { code = inner?.code ?? '', message } = error;
  return (MEANINGS[code] ?? (message || inner?.message || code || 'no answer')).slice(0, 300);
}
