/**
 * This process as a NATS micro service, for `nats micro ls`, `info` and `stats`: the service API of NATS, version 1 (ADR-32).
 *
 * It is ours: the library for it (@nats-io/services) has only previews, which bring a nats-core of their own.
 */
import { limits } from '../../actors/limits.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Nats, Respond } from '../nats/nats.js';

const NAME = 'holdfast';
const API = 'io.nats.micro.v1';

interface Answered {
  readonly status: number;
  readonly body: string;
}

export interface MicroEndpoint {
  readonly name: string;
  readonly subject: string;
  /** Of all processes with the same queue one answers. Without it each of them does. */
  readonly queue?: string;
  /** What it answers, for people. */
  readonly about: string;
  /** A status from 400 on is an error. What it rejects with is one too. */
  answer(payload: string): Promise<Answered>;
}

interface MicroServiceParts {
  readonly nats: Pick<Nats, 'subscribe' | 'maxPayload'>;
  /** Names this run of the process. */
  readonly id: string;
  /** As semantic versioning has it. */
  readonly version: string;
  readonly description: string;
  /** Shown beside the name: the system, the node and what it is. */
  readonly metadata: () => Readonly<Record<string, string>>;
  /** How it goes now; `stats` shows them with the first endpoint. */
  readonly figures: () => Readonly<Record<string, unknown>>;
  readonly endpoints: readonly MicroEndpoint[];
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly logger: Logger;
}

/** @returns a function that ends the service */
export function microService(parts: MicroServiceParts): () => void {
  const { nats, id, version, description, metadata, figures, clock } = parts;
  const started = new Date(clock.now()).toISOString();
  const endpoints = parts.endpoints.map((endpoint) => new Counted(endpoint, parts));
  const about = (type: string) => ({ type: `${API}.${type}_response`, name: NAME, id, version, metadata: metadata() });
  const answers: { readonly [verb: string]: () => object } = {
    PING: () => about('ping'),
    INFO: () => ({ ...about('info'), description, endpoints: endpoints.map((each) => each.info) }),
    STATS: () => {
      const [first, ...others] = endpoints.map((each) => each.stats);
      return { ...about('stats'), started, endpoints: first ? [{ ...first, data: figures() }, ...others] : [] };
    },
  };
  const ends = Object.entries(answers).flatMap(([verb, answer]) =>
    [`$SRV.${verb}`, `$SRV.${verb}.${NAME}`, `$SRV.${verb}.${NAME}.${id}`].map((at) =>
      nats.subscribe(at, (_, respond) => respond(JSON.stringify(answer()))),
    ),
  );
  for (const each of endpoints) {
    const { subject, queue } = each.endpoint;
    ends.push(nats.subscribe(subject, (payload, respond) => void each.take(payload, respond), queue));
  }
  return () => {
    for (const end of ends) end();
  };
}

// ---------------------------------------------------------------- machinery

/** Kept free in a message for the headers of an answer. */
const HEADER_BYTES = 1_024;

class Counted {
  private requests = 0;
  private errors = 0;
  private lastError = '';
  private durationMs = 0;
  private underWay = 0;

  constructor(
    readonly endpoint: MicroEndpoint,
    private readonly parts: Pick<MicroServiceParts, 'nats' | 'clock' | 'logger'>,
  ) {}

  get info(): object {
    return { ...this.named, metadata: { answer: this.endpoint.about } };
  }

  get stats(): object {
    const ns = Math.round(this.durationMs * 1e6);
    return {
      ...this.named,
      ...{ num_requests: this.requests, num_errors: this.errors, last_error: this.lastError, processing_time: ns },
      average_processing_time: this.requests === 0 ? 0 : Math.round(ns / this.requests),
    };
  }

  async take(payload: string, respond: Respond): Promise<void> {
    const { nats, clock, logger } = this.parts;
    const since = clock.monotonic();
    this.requests += 1;
    this.underWay += 1;
    let answer: Answered = await this.answer(payload).catch((error: unknown) => {
      logger.debug({ cause: String(error) }, `${this.endpoint.subject} was asked for over NATS, and is not known`);
      return { status: 500, body: JSON.stringify({ error: String(error) }) };
    });
    if (Buffer.byteLength(answer.body) > nats.maxPayload - HEADER_BYTES) {
      answer = refused(413, `The answer is longer than a message of this broker may be: ask for less, or over HTTP.`);
    }
    this.underWay -= 1;
    this.durationMs += clock.monotonic() - since;
    if (answer.status < 400) return respond(answer.body);
    this.errors += 1;
    this.lastError = sentenceIn(answer.body);
    const code = String(answer.status);
    respond(answer.body, [
      ['Nats-Service-Error', this.lastError.replace(/[^ -~]/g, '?')],
      ['Nats-Service-Error-Code', code],
    ]);
  }

  private get named(): object {
    const { name, subject, queue = '' } = this.endpoint;
    return { name, subject, queue_group: queue };
  }

  private async answer(payload: string): Promise<Answered> {
    if (this.underWay > limits.natsReads)
      return refused(503, 'Too many requests are waiting here: try again in a moment.');
    return this.endpoint.answer(payload);
  }
}

const refused = (status: number, message: string): Answered => ({
  status,
  body: JSON.stringify({ status: 'error', code: status === 503 ? 'busy' : 'too_large', message, errors: [] }),
});

function sentenceIn(body: string): string {
  try {
    const { message, error } = JSON.parse(body) as { message?: string; error?: string };
    return String(message ?? error ?? '').slice(0, 200);
  } catch {
    return 'no answer';
  }
}
