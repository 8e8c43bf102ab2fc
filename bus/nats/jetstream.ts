// JetStream's own requests: a call of its API, and messages that are stored only where they belong.

import { limits } from '../../actors/limits.js';
import type { NatsMessage, OrderedMessage, Published, PublishedInOrder, PublishOptions } from './nats.js';
import { commandsInOrder } from './nats-frames.js';
import type { Requests } from './requests.js';

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

export async function callApi<T>(requests: Requests, verb: string, body?: object, deadlineMs?: number): Promise<T> {
  const options = deadlineMs === undefined ? {} : { deadlineMs };
  const message = await requests.request(`$JS.API.${verb}`, body === undefined ? '' : JSON.stringify(body), options);
  const answer = JSON.parse(message.string()) as T & JetStreamError;
  if (answer.error !== undefined) throw refusal(answer.error, verb);
  return answer;
}

export async function publish(
  requests: Requests,
  subject: string,
  payload: string,
  after: number | 'any',
  { headers = '', end = 'subject', deadlineMs = limits.appendAnswerMs }: PublishOptions = {},
): Promise<Published> {
  const expected = end === 'stream' ? 'Nats-Expected-Last-Sequence' : 'Nats-Expected-Last-Subject-Sequence';
  const lines = after === 'any' ? headers : `${expected}: ${after}\r\n${headers}`;
  const message = await requests.request(subject, payload, { deadlineMs, ...(lines !== '' && { headers: lines }) });
  const answer = JSON.parse(message.string()) as JetStreamError & { seq?: number };
  if (answer.error !== undefined) return { refused: refusal(answer.error, `a message for ${subject}`) };
  if (typeof answer.seq === 'number' && answer.seq > 0) return { seq: answer.seq };
  throw new Error(`${subject} was answered, but not by a JetStream stream: ${message.string().slice(0, 200)}`);
}

export async function publishInOrder(
  requests: Requests,
  messages: readonly OrderedMessage[],
  after: number,
  deadlineMs: number = limits.appendAnswerMs,
): Promise<PublishedInOrder> {
  const [first] = messages;
  if (first === undefined) return { stored: 0 };
  const { subject } = first;
  const { wire } = requests;
  const answers = new AnswersInOrder(after, messages.length);
  return requests.exchange({
    subject,
    what: `${messages.length} messages from ${subject} on`,
    deadlineMs,
    send: (reply) => wire.send(commandsInOrder(messages, after, reply, wire.maxPayload)),
    read: (message) => answers.take(message, subject),
  });
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
  take(message: NatsMessage, subject: string): PublishedInOrder | Error | undefined {
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

interface JetStreamError {
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
}

const refusal = ({ code, err_code, description }: NonNullable<JetStreamError['error']>, what: string) =>
  new JetStreamRefusal(err_code ?? code, description ?? 'no reason given', what);
