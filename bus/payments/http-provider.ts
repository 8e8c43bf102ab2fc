/**
 * A payment provider over HTTP.
 *
 *   POST {url}/authorizations | captures | voids | refunds
 *   Idempotency-Key: <ref>     Authorization: Bearer <key>
 *   {"order_id", "amount": 19.99, "currency", "reference": <ref>}
 *
 *   200, 201  {"status": "authorized | captured | voided | refunded"}
 *   402       {"status": "declined"}
 *   409       {"status": <the state that prevents it>}: a void after a capture is answered `captured`
 *
 * Law: an answer is one of these. It is complete and in time, and it is about this ref if it names one. Anything else
 * is no answer, even if the call took effect: the caller repeats the call under the same Idempotency-Key. The bearer
 * secret is only in its header, never in an error or a log line.
 */
import { traceOf } from '../../actors/correlation.js';
import { limits } from '../../actors/limits.js';
import { decimalText } from '../../actors/money.js';
import type { PaymentRequest, Payments } from '../../actors/ports/payments.js';
import type { PaymentOperation, PaymentOutcome } from '../../actors/protocol.js';

const PATHS: { readonly [O in PaymentOperation]: string } = {
  authorize: 'authorizations',
  capture: 'captures',
  void: 'voids',
  refund: 'refunds',
};

type Meanings = { readonly [status: string]: PaymentOutcome | undefined };

/** What a provider's status means for each operation. Any other status is no answer. */
const DONE: { readonly [O in PaymentOperation]: Meanings } = {
  authorize: { authorized: 'authorized' },
  capture: { captured: 'captured' },
  void: { voided: 'voided' },
  refund: { refunded: 'refunded' },
};
const DECLINED: Meanings = { declined: 'declined' };
const STANDS: { readonly [O in PaymentOperation]: Meanings } = {
  authorize: { authorized: 'authorized', captured: 'authorized', voided: 'declined', declined: 'declined' },
  capture: { captured: 'captured', voided: 'voided', declined: 'declined' },
  void: { voided: 'voided', captured: 'captured' },
  refund: { refunded: 'refunded', declined: 'declined' },
};

interface HttpProvider {
  /** Without a slash at its end. */
  readonly url: string;
  /** The bearer secret; undefined if the provider needs none. */
  readonly key: string | undefined;
  /** The time for a whole call, from connecting to the last byte. */
  readonly timeoutMs: number;
}

export function httpPayments({ url, key, timeoutMs }: HttpProvider): Payments {
  return {
    async perform(request) {
      const { operation, ref, correlation = '' } = request;
      const trace = traceOf(correlation);
      const response = await fetch(`${url}/${PATHS[operation]}`, {
        method: 'POST',
        headers: {
          accept: 'application/json',
          'content-type': 'application/json',
          'idempotency-key': headerText(ref),
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
          ...(trace !== undefined && { traceparent: trace }),
        },
        body: bodyOf(request),
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      }).catch((error: unknown) => {
        throw new Error(`the payment provider could not be asked: ${wordsOf(error)}`);
      });
      const meanings = meaningsOf(response.status, operation);
      if (meanings === undefined) {
        await response.body?.cancel().catch(() => {});
        throw new Error(`the payment provider answered ${response.status}`);
      }
      const answer = parse(await textOf(response));
      const outcome = answer.reference === undefined || answer.reference === ref ? meanings[answer.status] : undefined;
      if (outcome === undefined)
        throw new Error(`the payment provider's ${response.status} is no answer to ${operation}`);
      return outcome;
    },
  };
}

// ---------------------------------------------------------------- machinery

/** The amount is written digit by digit: as a JavaScript number, a large amount would lose its cents. */
const bodyOf = ({ order, ref, minor, currency }: PaymentRequest): string =>
  `{"order_id":${JSON.stringify(order)},"amount":${decimalText(minor, currency)},` +
  `"currency":${JSON.stringify(currency)},"reference":${JSON.stringify(ref)}}`;

/** A header may hold only visible characters, but ids may hold others. Two refs never become the same text. */
const headerText = (ref: string): string => ref.replace(/[^!-$&-~]/gu, encodeURIComponent);

function meaningsOf(httpStatus: number, operation: PaymentOperation): Meanings | undefined {
  if (httpStatus === 200 || httpStatus === 201) return DONE[operation];
  if (httpStatus === 402) return operation === 'void' ? undefined : DECLINED;
  return httpStatus === 409 ? STANDS[operation] : undefined;
}

/** The body as text. @throws Error past the limit; that ends the connection too */
async function textOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of response.body ?? []) {
      bytes += piece.byteLength;
      if (bytes > limits.paymentAnswerBytes) throw new Error(`more than ${limits.paymentAnswerBytes} bytes`);
      pieces.push(piece);
    }
  } catch (error) {
    throw new Error(`the payment provider's answer did not arrive whole: ${wordsOf(error)}`);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parse(text: string): { readonly status: string; readonly reference?: unknown } {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    read = undefined;
  }
  const status = typeof read === 'object' && read !== null && 'status' in read ? read.status : undefined;
  if (typeof status !== 'string') throw new Error("the payment provider's answer is not JSON with a status");
  return { ...(read as object), status };
}

/** fetch gives the reason in its error's cause, without anything of the request. */
function wordsOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
