/**
 * A delivery by the Standard Webhooks specification. Its id is the event's, so it is the same in every attempt: receivers tell
 * repeats by it.
 *
 * The body is the CloudEvent as EVENTS has it, byte by byte, with its time once more under the specification's name
 * `timestamp`. So a reader of either specification finds what it looks for, and no amount went through a double.
 */
import { Webhook } from 'standardwebhooks';

/** Signatures separate their parts by full stops, and headers have ASCII only. So an id of other characters is escaped. */
export const headerId = (event: string): string =>
  event.replace(/[^\w/-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );

/** @param cloudEvent JSON text of an object with members */
export const bodyOf = (cloudEvent: string, time: string): string =>
  `{"timestamp":${JSON.stringify(time)},${cloudEvent.slice(1)}`;

interface Message {
  readonly event: string;
  readonly body: string;
  /** The latest earlier event of the same actor that could not be delivered. */
  readonly missing: string | undefined;
  /** Each of them signs. */
  readonly secrets: readonly string[];
  /** Wall clock of the attempt, in milliseconds. */
  readonly at: number;
}

export function signedHeaders({ event, body, missing, secrets, at }: Message): Record<string, string> {
  const id = headerId(event);
  const sign = (secret: string) => new Webhook(secret).sign(id, new Date(at), body);
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at / 1_000)),
    'webhook-signature': secrets.map(sign).join(' '),
    ...(missing !== undefined && { 'holdfast-missing': headerId(missing) }),
  };
}
