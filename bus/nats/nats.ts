/**
 * The connection to NATS. Only this file uses nats.js.
 *
 * Law: every request ends inside its deadline with an answer or a rejection. A rejection means "no answer": the request
 * may have taken effect. No request waits for a reconnect: nats.js would keep new publishes and drop them at the
 * reconnect, and would leave requests in flight to their timeouts. So this file rejects both at once.
 *
 * All requests share one inbox, and headers come as finished text. That takes half the CPU of nats.js's own JetStream
 * publish, measured with one publish after another. The encoding in nats-frames.ts saves a third of the rest.
 */
import type { StreamConfig, StreamInfo } from '@nats-io/jetstream';
import {
  connect,
  createInbox,
  headers,
  type Msg,
  NatsConnectionImpl,
  type Subscription,
} from '@nats-io/transport-node';
import { limits } from '../../actors/limits.js';
import type { Logger } from '../../actors/ports/runtime.js';
import { type Frame, Frames } from './nats-frames.js';

export type { Msg as NatsMessage, StreamConfig, StreamInfo };

type NatsStatus = 'connected' | 'disconnected' | 'closed';

interface NatsRequest {
  /** Header lines, each ended with CRLF. */
  readonly headers?: string;
  readonly deadlineMs?: number;
  /** Takes the answers one by one until it returns true. Without it the first answer is the last. */
  readonly until?: (message: Msg) => boolean;
}

interface PublishOptions {
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
interface PublishedInOrder {
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

/** JetStream refused a call, and changed nothing. */
export class JetStreamRefusal extends Error {
  override name = 'JetStreamRefusal';
  constructor(
    readonly errCode: number,
    description: string,
    what: string,
  ) {
    super(`JetStream refused ${what}: ${description} (${errCode})`);
    this.description = description;
  }
  readonly description: string;
}

/** No server takes the subject: JetStream is off, or there is no such stream. */
export class NobodyAnswers extends Error {
  override readonly name = 'NobodyAnswers';
}

/** The message names the hosts and the reason. The caller adds the variable that the URL came from. */
export class CannotReachNats extends Error {
  override readonly name = 'CannotReachNats';
}

const CONNECT_MS = 3_000;
const API_MS = 5_000;
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
  return new Connection(nc, log);
}

interface Pending {
  readonly take: (message: Msg) => void;
  readonly fail: (error: Error) => void;
}

class Connection implements Nats {
  status: NatsStatus = 'connected';
  lastError: string | undefined;
  private readonly pending = new Map<string, Pending>();
  private readonly listeners = new Set<(status: NatsStatus) => void>();
  private readonly inbox = createInbox();
  private readonly frames = new Frames();
  private requests = 0;

  constructor(
    readonly nc: NatsConnectionImpl,
    readonly log: Logger,
  ) {
    nc.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.pending.get(message.subject.slice(this.inbox.length + 1))?.take(message);
        else this.lastError = error.message;
      },
    });
    this.follow().catch((error) => log.error({ err: error }, 'The status of NATS cannot be followed any more.'));
  }

  get version(): string {
    return this.nc.info?.version ?? '0.0.0';
  }

  get maxPayload(): number {
    return this.nc.info?.max_payload ?? 1_048_576;
  }

  request(subject: string, payload: string, { headers, deadlineMs = API_MS, until }: NatsRequest = {}): Promise<Msg> {
    return new Promise((resolve, reject) => {
      if (this.status !== 'connected') {
        reject(new Error(`${subject} was not sent: NATS is ${this.status} (${this.lastError ?? 'no reason known'})`));
        return;
      }
      const token = (this.requests++).toString(36);
      let reply = `${this.inbox}.${token}`;
      let many: Subscription | undefined;
      let frame: Frame | undefined;
      const end = () => {
        clearTimeout(timer);
        this.pending.delete(token);
        if (many !== undefined && !this.nc.isClosed()) many.unsubscribe();
      };
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new Error(`NATS did not answer ${subject} within ${deadlineMs} ms`)),
        deadlineMs,
      );
      const take = (message: Msg) => {
        if (message.data.length === 0 && message.headers?.code === 503) {
          const why = 'JetStream is off, or the stream is missing or without a leader';
          fail(new NobodyAnswers(`Nobody answers ${subject}: ${why}`));
        } else if (until === undefined || until(message)) {
          end();
          if (frame !== undefined) this.frames.giveBack(frame);
          resolve(message);
        }
      };
      this.pending.set(token, { take, fail });
      try {
        if (until !== undefined) {
          // A stream's messages arrive under their own subjects: the shared inbox cannot match them to a request.
          reply = createInbox();
          many = this.nc.subscribe(reply, {
            callback: (error, message) => (error === null ? take(message) : fail(error)),
          });
        }
        frame = this.frames.publish(subject, reply, payload, headers);
        if (frame.size > this.maxPayload) throw new Error(`the broker's max_payload is ${this.maxPayload} bytes`);
        this.nc.protocol.sendCommand(frame.bytes);
      } catch (error) {
        fail(new Error(`${subject}, ${payload.length} characters, cannot be sent: ${words(error)}`));
      }
    });
  }

  async api<T>(verb: string, body?: object, deadlineMs?: number): Promise<T> {
    const options = deadlineMs === undefined ? {} : { deadlineMs };
    const message = await this.request(`$JS.API.${verb}`, body === undefined ? '' : JSON.stringify(body), options);
    const answer = JSON.parse(message.string()) as T & JetStreamError;
    if (answer.error !== undefined) throw refusal(answer.error, verb);
    return answer;
  }

  async publish(
    subject: string,
    payload: string,
    after: number | 'any',
    options: PublishOptions = {},
  ): Promise<Published> {
    const { headers = '', end = 'subject', deadlineMs = limits.appendAnswerMs } = options;
    const expected = end === 'stream' ? 'Nats-Expected-Last-Sequence' : 'Nats-Expected-Last-Subject-Sequence';
    const lines = after === 'any' ? headers : `${expected}: ${after}\r\n${headers}`;
    const message = await this.request(subject, payload, { deadlineMs, ...(lines !== '' && { headers: lines }) });
    const answer = JSON.parse(message.string()) as JetStreamError & { seq?: number };
    if (answer.error !== undefined) return { refused: refusal(answer.error, `a message for ${subject}`) };
    if (typeof answer.seq === 'number' && answer.seq > 0) return { seq: answer.seq };
    throw new Error(`${subject} was answered, but not by a JetStream stream: ${message.string().slice(0, 200)}`);
  }

  publishInOrder(
    messages: readonly OrderedMessage[],
    after: number,
    deadlineMs = limits.appendAnswerMs,
  ): Promise<PublishedInOrder> {
    const [first] = messages;
    if (first === undefined) return Promise.resolve({ stored: 0 });
    return new Promise((resolve, reject) => {
      if (this.status !== 'connected') {
        reject(
          new Error(`${first.subject} was not sent: NATS is ${this.status} (${this.lastError ?? 'no reason known'})`),
        );
        return;
      }
      const token = (this.requests++).toString(36);
      const end = () => {
        clearTimeout(timer);
        this.pending.delete(token);
      };
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      const late = `NATS did not answer ${messages.length} messages from ${first.subject} on within ${deadlineMs} ms`;
      const timer = setTimeout(() => fail(new Error(late)), deadlineMs);
      const answers = new AnswersInOrder(after, messages.length);
      const take = (message: Msg) => {
        const outcome = answers.take(message, first.subject);
        if (outcome instanceof Error) fail(outcome);
        else if (outcome !== undefined) {
          end();
          resolve(outcome);
        }
      };
      this.pending.set(token, { take, fail });
      try {
        this.nc.protocol.sendCommand(this.inOrder(messages, after, `${this.inbox}.${token}`));
      } catch (error) {
        fail(new Error(`${messages.length} messages from ${first.subject} on cannot be sent: ${words(error)}`));
      }
    });
  }

  private inOrder(messages: readonly OrderedMessage[], after: number, reply: string): string {
    let commands = '';
    let before: string | undefined;
    for (const [i, { subject, id, headers, payload }] of messages.entries()) {
      let lines = `Nats-Expected-Last-Sequence: ${after + i}\r\n`;
      if (before !== undefined) lines += `Nats-Expected-Last-Msg-Id: ${before}\r\n`;
      if (id !== undefined) lines += `Nats-Msg-Id: ${id}\r\n`;
      before = id;
      const block = `NATS/1.0\r\n${lines}${headers}\r\n`;
      const size = block.length + Buffer.byteLength(payload);
      if (size > this.maxPayload) throw new Error(`the broker's max_payload is ${this.maxPayload} bytes`);
      commands += `HPUB ${subject} ${reply} ${block.length} ${size}\r\n${block}${payload}\r\n`;
    }
    return commands;
  }

  sender(subject: string, nobody?: () => void): Sender {
    const token = (this.requests++).toString(36);
    const take = ({ data, headers }: Msg) => {
      if (data.length === 0 && headers?.code === 503) nobody?.();
    };
    if (nobody !== undefined) this.pending.set(token, { take, fail: () => {} });
    const reply = nobody === undefined ? '' : `${this.inbox}.${token} `;
    return {
      send: (payload) => {
        const bytes = Buffer.byteLength(payload);
        // A socket that stands still must not fill the memory. Whoever sends here repeats what matters.
        const isStuck = this.nc.protocol.outbound.size() > limits.unsentBytes;
        if (this.status !== 'connected' || isStuck || bytes > this.maxPayload) return false;
        this.nc.protocol.sendCommand(`PUB ${subject} ${reply}${bytes}\r\n${payload}\r\n`);
        return true;
      },
      close: () => void this.pending.delete(token),
    };
  }

  subscribe(subject: string, take: (payload: string, respond: Respond) => void, queue?: string): () => void {
    const subscription = this.nc.subscribe(subject, {
      ...(queue !== undefined && { queue }),
      callback: (error, message) => {
        if (error === null) take(message.string(), respondTo(message));
        else this.lastError = error.message;
      },
    });
    return () => {
      if (!this.nc.isClosed()) subscription.unsubscribe();
    };
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
      }
    }
    this.become('closed', 'it was closed');
  }

  private become(status: NatsStatus, why?: string): void {
    if (this.status === status || this.status === 'closed') return;
    this.status = status;
    if (why !== undefined) {
      this.lastError = why;
      for (const { fail } of [...this.pending.values()]) fail(new Error(`NATS did not answer: ${why}`));
    }
    for (const listener of [...this.listeners]) listener(status);
  }
}

// ---------------------------------------------------------------- machinery

/** The answers to messages that go one after the other. Each gets one; in a cluster a refusal may overtake. */
class AnswersInOrder {
  private stored = 0;
  private refused: JetStreamRefusal | undefined;
  private answered = 0;

  constructor(
    private readonly after: number,
    private readonly messages: number,
  ) {}

  /** @returns the outcome with the last answer; an error where it cannot be known */
  take(message: Msg, subject: string): PublishedInOrder | Error | undefined {
    if (message.data.length === 0 && message.headers?.code === 503) {
      return new NobodyAnswers(
        `Nobody answers ${subject}: JetStream is off, or the stream is missing or without a leader`,
      );
    }
    this.answered += 1;
    const { error, seq, duplicate } = JSON.parse(message.string()) as JetStreamError & {
      seq?: number;
      duplicate?: boolean;
    };
    if (error !== undefined) this.refused ??= refusal(error, `a message for ${subject}`);
    else if (duplicate === true)
      this.refused ??= refusal({ code: 400, description: 'it has this id already' }, subject);
    else if (seq === this.after + this.stored + 1) this.stored += 1;
    else return new Error(`${subject} was stored as ${seq}, not as ${this.after + this.stored + 1}`);
    if (this.answered < this.messages) return undefined;
    return this.refused === undefined ? { stored: this.stored } : { stored: this.stored, refused: this.refused };
  }
}

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

interface JetStreamError {
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
}

const refusal = ({ code, err_code, description }: NonNullable<JetStreamError['error']>, what: string) =>
  new JetStreamRefusal(err_code ?? code, description ?? 'no reason given', what);

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The reason in words, searched through all nested causes. It never contains a password. */
function whyNotConnected(error: unknown): string {
  const all: string[] = [];
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const { code = '' } = each as NodeJS.ErrnoException;
    all.push(`${code} ${each.name} ${each.message}`);
    if (each instanceof AggregateError) for (const one of each.errors) all.push(words(one));
  }
  const said = all.join(' ');
  if (/authori[sz]ation|authentication/i.test(said)) return 'it refuses this user, password or token';
  if (/ENOTFOUND|EAI_AGAIN|getaddrinfo/.test(said)) return 'there is no host of this name';
  if (/CERT|SIGNATURE|certificate|altnames/i.test(said)) return `its TLS certificate is not accepted: ${words(error)}`;
  if (/ECONNREFUSED|connection refused/i.test(said)) return 'nobody listens there';
  if (/timeout/i.test(said)) return 'it does not answer';
  return words(error);
}

interface Access {
  readonly servers: string[];
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  readonly tls?: Record<string, never>;
}

/** nats.js accepts only hosts: the user and TLS of a URL go into its options. */
export function readUrl(list: string): Access {
  const urls = list.split(',').map((text) => new URL(text.includes('://') ? text.trim() : `nats://${text.trim()}`));
  const servers = urls.map((url) => `${url.hostname}:${url.port || 4222}`);
  const known = urls.find((url) => url.username !== '');
  const user = decodeURIComponent(known?.username ?? '');
  const pass = decodeURIComponent(known?.password ?? '');
  const access = user === '' ? {} : pass === '' ? { token: user } : { user, pass };
  return { servers, ...access, ...(urls.some((url) => url.protocol === 'tls:') && { tls: {} }) };
}
