/**
 * The connection to NATS. Only this file uses nats.js.
 *
 * Law: requests are as requests.ts has them. A subscription and a sender outlive a disconnect, and what is sent meanwhile is
 * lost. A URL's password is in no message.
 */
import type { StreamConfig, StreamInfo } from '@nats-io/jetstream';
import {
  connect,
  createInbox,
  headers,
  type Msg,
  NatsConnectionImpl,
  PermissionViolationError,
} from '@nats-io/transport-node';
import { limits } from '../../actors/limits.js';
import type { Logger } from '../../actors/ports/runtime.js';
import { CannotReachNats, whyNotConnected } from './cannot-reach-nats.js';
import { callApi, type JetStreamRefusal, publish, publishInOrder } from './jetstream.js';
import { readUrl } from './nats-url.js';
import { Requests } from './requests.js';

export type { Msg as NatsMessage, StreamConfig, StreamInfo };

export type NatsStatus = 'connected' | 'disconnected' | 'closed';

export interface NatsRequest {
  /** Header lines, each ended with CRLF. */
  readonly headers?: string;
  readonly deadlineMs?: number;
  /** Takes the answers one by one until it returns true. Without it the first answer is the last. */
  readonly until?: (message: Msg) => boolean;
}

export interface PublishOptions {
  /** Header lines, each ended with CRLF. */
  readonly headers?: string;
  /** The end with which `after` is compared. The broker reads a message to find a subject's end, but not the stream's. */
  readonly end?: 'subject' | 'stream';
  readonly deadlineMs?: number;
}

/** JetStream's answer to a publish: the message's sequence, or why it stored nothing. */
export type Published = { readonly seq: number } | { readonly refused: JetStreamRefusal };

export interface OrderedMessage {
  readonly subject: string;
  /** Names it to the message after it; visible ASCII. */
  readonly id?: string;
  /** Lines, each ended with CRLF. */
  readonly headers: string;
  readonly payload: string;
}

/** How many of the messages are stored, from the first on, and why the next one is not. */
export interface PublishedInOrder {
  readonly stored: number;
  readonly refused?: JetStreamRefusal;
}

/** Answers a message. An answer longer than the broker takes is not sent. */
export type Respond = (payload: string, headers?: readonly (readonly [string, string])[]) => void;

/** Sends to one subject. The broker stores nothing, and nobody answers. Without a connection a message is lost. */
interface Sender {
  /** The payload has at most Nats.maxPayload bytes. @returns false if the message is lost already. */
  send(payload: string): boolean;
  close(): void;
}

export interface Nats {
  /** Resolves with the last answer. Rejects at the deadline, at a disconnect, and when the subject has no responder. */
  request(subject: string, payload: string, options?: NatsRequest): Promise<Msg>;
  /** A JetStream API call. @throws JetStreamRefusal when JetStream answers with an error. */
  api<T>(verb: string, body?: object, deadlineMs?: number): Promise<T>;
  /** Stores a message if `after` is the last sequence of its subject, or of the whole stream; 'any' asks for neither. */
  publish(subject: string, payload: string, after: number | 'any', options?: PublishOptions): Promise<Published>;
  /**
   * Stores messages at the end of a stream, each right after the one before it, without a wait in between. Where each has an
   * id, none is stored behind another one's message, which may have taken the sequence of the one before it.
   * @param after the stream's last sequence before them
   */
  publishInOrder(messages: readonly OrderedMessage[], after: number, deadlineMs?: number): Promise<PublishedInOrder>;
  /** @param nobody called with each message that nobody subscribed to. */
  sender(subject: string, nobody?: () => void): Sender;
  /**
   * The subscription outlives a disconnect. Of those that name the same queue one gets each message.
   * @returns a function that ends it
   */
  subscribe(subject: string, take: (payload: string, respond: Respond) => void, queue?: string): () => void;
  readonly status: NatsStatus;
  readonly version: string;
  /** The most bytes of a message, headers included. */
  readonly maxPayload: number;
  readonly lastError: string | undefined;
  /** Calls the listener at every change; the returned function removes the listener. */
  watch(listener: (status: NatsStatus) => void): () => void;
  /** Sends the buffered bytes, then closes. It also closes when sending takes too long. */
  close(): Promise<void>;
}

const CONNECT_MS = 3_000;
// A broker that has stopped answering is noticed after the third unanswered second.
const PING_MS = 1_000;
const PINGS_OUT = 2;

/** @param url one or more of nats://user:password@host:4222 or tls://host:4222, with commas between. */
export async function connectNats(url: string, { name, log }: { name: string; log: Logger }): Promise<Nats> {
  const { servers, ...access } = readUrl(url);
  let nc: Awaited<ReturnType<typeof connect>>;
  try {
    nc = await connect({
      servers,
      ...access,
      name,
      timeout: CONNECT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 200,
      reconnectJitter: 100,
      pingInterval: PING_MS,
      maxPingOut: PINGS_OUT,
      noAsyncTraces: true,
    });
  } catch (error) {
    throw new CannotReachNats(`${servers.join(', ')}: ${whyNotConnected(error)}`);
  }
  if (!(nc instanceof NatsConnectionImpl)) throw new Error('This version of nats.js takes no finished frames.');
  return new Connection(nc, access.user, log);
}

class Connection implements Nats {
  status: NatsStatus = 'connected';
  lastError: string | undefined;
  private readonly listeners = new Set<(status: NatsStatus) => void>();
  private readonly requests: Requests;
  private lastVersion = '0.0.0';
  private readonly failed = (error: Error) => {
    this.lastError = error.message;
  };

  constructor(
    readonly nc: NatsConnectionImpl,
    private readonly user: string | undefined,
    readonly log: Logger,
  ) {
    this.requests = new Requests(this, this.failed);
    this.follow().catch((error) => log.error({ err: error }, 'The status of NATS cannot be followed any more.'));
  }

  /** While no broker is there, of the last one: what a caller judges by it must not change meanwhile. */
  get version(): string {
    this.lastVersion = this.nc.info?.version ?? this.lastVersion;
    return this.lastVersion;
  }

  get maxPayload(): number {
    return this.nc.info?.max_payload ?? 1_048_576;
  }

  request(subject: string, payload: string, options?: NatsRequest): Promise<Msg> {
    return this.requests.request(subject, payload, options);
  }

  api<T>(verb: string, body?: object, deadlineMs?: number): Promise<T> {
    return callApi(this.requests, verb, body, deadlineMs);
  }

  publish(subject: string, payload: string, after: number | 'any', options?: PublishOptions): Promise<Published> {
    return publish(this.requests, subject, payload, after, options);
  }

  publishInOrder(messages: readonly OrderedMessage[], after: number, deadlineMs?: number): Promise<PublishedInOrder> {
    return publishInOrder(this.requests, messages, after, deadlineMs);
  }

  sender(subject: string, nobody?: () => void): Sender {
    const returns = nobody && this.requests.returns(nobody);
    const reply = returns === undefined ? '' : `${returns.reply} `;
    return {
      send: (payload) => {
        const bytes = Buffer.byteLength(payload);
        // A socket that stands still must not fill the memory. Whoever sends here repeats what matters.
        const isStuck = this.nc.protocol.outbound.size() > limits.unsentBytes;
        if (this.status !== 'connected' || isStuck || bytes > this.maxPayload) return false;
        this.send(`PUB ${subject} ${reply}${bytes}\r\n${payload}\r\n`);
        return true;
      },
      close: () => returns?.close(),
    };
  }

  subscribe(subject: string, take: (payload: string, respond: Respond) => void, queue?: string): () => void {
    return this.receive(subject, (message) => take(message.string(), respondTo(message)), this.failed, queue);
  }

  /** Below a prefix of the user's own: its account may hear the answers to its own requests only. */
  newInbox(): string {
    return createInbox(/^[\w-]+$/.test(this.user ?? '') ? `_INBOX.${this.user}` : '_INBOX');
  }

  receive(subject: string, take: (message: Msg) => void, failed: (error: Error) => void, queue?: string): () => void {
    const subscription = this.nc.subscribe(subject, {
      ...(queue !== undefined && { queue }),
      callback: (error, message) => (error === null ? take(message) : failed(error)),
    });
    return () => {
      if (!this.nc.isClosed()) subscription.unsubscribe();
    };
  }

  send(commands: Uint8Array | string): void {
    this.nc.protocol.sendCommand(commands);
  }

  watch(listener: (status: NatsStatus) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CONNECT_MS);
    });
    // A drain waits for the broker's answer, which never comes from a broker that is away.
    if (this.status === 'connected') await Promise.race([this.nc.drain().catch(() => {}), late]);
    clearTimeout(timer);
    if (!this.nc.isClosed()) await this.nc.close();
    this.become('closed', 'it was closed');
  }

  private async follow(): Promise<void> {
    for await (const event of this.nc.status()) {
      if (event.type === 'disconnect' || event.type === 'staleConnection') {
        this.log.warn({}, `NATS is disconnected (${event.type}); trying again until it is back.`);
        this.become('disconnected', 'the connection was lost');
      } else if (event.type === 'reconnect') {
        this.log.info({}, `NATS is back: ${event.server}, version ${this.version}.`);
        this.become('connected');
      } else if (event.type === 'error') {
        this.lastError = event.error.message;
        this.log.warn({ err: event.error }, 'NATS reports an error.');
        if (event.error instanceof PermissionViolationError) this.refused(event.error);
      }
    }
    this.become('closed', 'it was closed');
  }

  /** The broker does not answer what it does not allow. */
  private refused({ operation, subject }: PermissionViolationError): void {
    const verb = operation === 'publish' ? 'publish' : 'subscribe';
    this.requests.refuse(
      subject,
      `NATS does not let ${this.user ?? 'this user'} ${verb} to ${subject}: deploy/security/nats-accounts.conf has what each role needs`,
    );
  }

  private become(status: NatsStatus, why?: string): void {
    if (this.status === status || this.status === 'closed') return;
    this.status = status;
    if (why !== undefined) {
      this.lastError = why;
      this.requests.failAll(why);
    }
    for (const listener of [...this.listeners]) listener(status);
  }
}

// ---------------------------------------------------------------- machinery

function respondTo(message: Msg): Respond {
  return (payload, lines = []) => {
    if (lines.length === 0) message.respond(payload);
    else {
      const named = headers();
      for (const [name, value] of lines) named.set(name, value);
      message.respond(payload, { headers: named });
    }
  };
}
