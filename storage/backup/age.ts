/** Encryption to an age recipient, as a stream. The library is known here alone. */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Decrypter, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';

/** A pair of keys that lives as long as one archive is being made: with it the archive is read back. */
export async function passingKeys(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const identity = await generateIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** @returns why this is no recipient, as the rest of a sentence; undefined if it is one */
export function whyNoRecipient(text: string): string | undefined {
  try {
    new Encrypter().addRecipient(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export async function encrypted(plain: Readable, recipients: readonly string[]): Promise<Readable> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return fromWeb(await encrypter.encrypt(toWeb(plain)));
}

/** Rejects, or the stream ends with an error, if the identity is another one or a byte is wrong. */
export async function decrypted(cipher: Readable, identity: string): Promise<Readable> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return fromWeb(await decrypter.decrypt(toWeb(cipher)));
}

// ---------------------------------------------------------------- machinery

type WebBytes = globalThis.ReadableStream<Uint8Array>;

const toWeb = (stream: Readable): WebBytes => Readable.toWeb(stream) as unknown as WebBytes;
const fromWeb = (stream: WebBytes): Readable => Readable.fromWeb(stream as unknown as ReadableStream<Uint8Array>);
