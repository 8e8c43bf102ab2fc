/**
 * Requests to the broker, and the answers to each.
 *
 * Law: every request ends inside its deadline with an answer or a rejection. A rejection means "no answer": the request
 * may have taken effect. No request waits for a reconnect: nats.js would keep new publishes and drop them at the
 * reconnect, and would leave requests in flight to their timeouts. So this file rejects both at once.
 *
 * All requests share one inbox, and headers come as finished text. That takes half the CPU of nats.js's own JetStream
 * publish, measured with one publish after another. The encoding in nats-frames.ts saves a third of the rest.
 */
import type { NatsMessage, NatsRequest, NatsStatus } from './nats.js';
import { type Frame, Frames } from './nats-frames.js';

/** No server takes the subject: JetStream is off, or there is no such stream. */
export class NobodyAnswers extends Error {
  override readonly name = 'NobodyAnswers';
}

/** The broker does not let this user publish to the subject. */
export class NotAllowed extends Error {
  override readonly name = 'NotAllowed';
}

/** What requests need of a connection. */
interface Wire {
  readonly status: NatsStatus;
  readonly lastError: string | undefined;
  readonly maxPayload: number;
  /** Sends finished commands of the protocol. */
  send(commands: Uint8Array | string): void;
  newInbox(): string;
  /** @returns a function that ends the subscription */
  receive(subject: string, take: (message: NatsMessage) => void, failed: (error: Error) => void): () => void;
}

/** A request in the making. */
interface Exchange<T> {
  readonly subject: string;
  /** What is sent, for an error. */
  readonly what: string;
  readonly deadlineMs: number;
  /** The answers come under subjects of their own, as a stream's messages do: the shared inbox cannot match them to a request. */
  readonly ownInbox?: boolean;
  send(reply: string): void;
  /** Takes the answers one by one. @returns undefined while more are to come */
  read(message: NatsMessage): T | Error | undefined;
}

interface Pending {
  readonly subject: string;
  readonly take: (message: NatsMessage) => void;
  readonly fail: (error: Error) => void;
}

const ANSWER_MS = 5_000;

export class Requests {
  private readonly pending = new Map<string, Pending>();
  private readonly inbox: string;
  private readonly frames = new Frames();
  private count = 0;

  /** @param failed told of what the shared inbox could not receive */
  constructor(
    readonly wire: Wire,
    failed: (error: Error) => void,
  ) {
    this.inbox = wire.newInbox();
    const tokenAt = this.inbox.length + 1;
    wire.receive(
      `${this.inbox}.*`,
      (message) => this.pending.get(message.subject.slice(tokenAt))?.take(message),
      failed,
    );
  }

  request(
    subject: string,
    payload: string,
    { headers, deadlineMs = ANSWER_MS, until }: NatsRequest = {},
  ): Promise<NatsMessage> {
    let frame: Frame | undefined;
    return this.exchange({
      subject,
      what: subject,
      deadlineMs,
      ownInbox: until !== undefined,
      send: (reply) => {
        frame = this.frames.publish(subject, reply, payload, headers);
        const { maxPayload } = this.wire;
        if (frame.size > maxPayload) {
          throw new Error(`its ${frame.size} bytes are more than the broker's max_payload, ${maxPayload}`);
        }
        this.wire.send(frame.bytes);
      },
      read: (message) => {
        if (until !== undefined && !until(message)) return undefined;
        if (frame !== undefined) this.frames.giveBack(frame);
        return message;
      },
    });
  }

  exchange<T>({ subject, what, deadlineMs, ownInbox = false, send, read }: Exchange<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { status, lastError } = this.wire;
      if (status !== 'connected') {
        reject(new Error(`${subject} was not sent: NATS is ${status} (${lastError ?? 'no reason known'})`));
        return;
      }
      const token = this.nextToken();
      let unsubscribe = () => {};
      const end = () => {
        clearTimeout(timer);
        this.pending.delete(token);
        unsubscribe();
      };
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      const late = () => fail(new Error(`NATS did not answer ${what} within ${deadlineMs} ms`));
      const timer = setTimeout(late, deadlineMs);
      const take = (message: NatsMessage) => {
        const outcome = isUnanswered(message) ? nobodyAnswers(subject) : read(message);
        if (outcome instanceof Error) fail(outcome);
        else if (outcome !== undefined) {
          end();
          resolve(outcome);
        }
      };
      this.pending.set(token, { subject, take, fail });
      try {
        const reply = ownInbox ? this.wire.newInbox() : `${this.inbox}.${token}`;
        if (ownInbox) unsubscribe = this.wire.receive(reply, take, fail);
        send(reply);
      } catch (error) {
        fail(new Error(`${what} cannot be sent: ${error instanceof Error ? error.message : String(error)}`));
      }
    });
  }

  /** An address where messages to a subject come back that nobody subscribed to. */
  returns(nobody: () => void): { readonly reply: string; close(): void } {
    const token = this.nextToken();
    const take = (message: NatsMessage) => {
      if (isUnanswered(message)) nobody();
    };
    this.pending.set(token, { subject: '', take, fail: () => {} });
    return { reply: `${this.inbox}.${token}`, close: () => void this.pending.delete(token) };
  }

  /** The connection is gone: no request under way will be answered. */
  failAll(why: string): void {
    for (const { fail } of [...this.pending.values()]) fail(new Error(`NATS did not answer: ${why}`));
  }

  /** The broker refuses a subject: that of requests, or the one where their answers would come. */
  refuse(subject: string, why: string): void {
    const isInbox = subject === `${this.inbox}.*`;
    for (const each of [...this.pending.values()])
      if (isInbox || each.subject === subject) each.fail(new NotAllowed(why));
  }

  private nextToken(): string {
    return (this.count++).toString(36);
  }
}

const isUnanswered = ({ data, headers }: NatsMessage): boolean => data.length === 0 && headers?.code === 503;

const nobodyAnswers = (subject: string) =>
  new NobodyAnswers(`Nobody answers ${subject}: JetStream is off, or the stream is missing or without a leader`);
