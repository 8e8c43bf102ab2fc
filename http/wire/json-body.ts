/**
 * Reads the body of a request as JSON.
 *
 * Law: a bad body is refused early, and the error names the field. A body that two readers could understand
 * differently is refused. JSON.parse keeps the last of two equal names, rounds large numbers and keeps lone surrogates.
 * Each of these is a 400 here.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { limits } from '../../actors/limits.js';
import { Failure, invalidField } from '../api/failure.js';
import type { BufferedRequest } from './buffered-request.js';
import { mediaTypeOf } from './media-type.js';
import { ROUNDED_FROM, withRoundedAsText } from './rounded-numbers.js';

const JSON_TYPE = /^(application|text)\/([\w.+-]+\+)?json$/;

/** @param emptyIsObject reads an empty body as `{}`. */
export async function readJson(req: BufferedRequest, emptyIsObject = false): Promise<object> {
  if (emptyIsObject && hasNone(req)) return {}; // Whatever its Content-Type.
  const type = req.headers['content-type'];
  if (type !== undefined && type !== 'application/json' && !isJson(type)) throw otherType('application/json');
  mustBePlain(req);
  const bytes = await req.whole(limits.bodyBytes);
  return emptyIsObject && bytes.length === 0 ? {} : parseBody(bytes);
}

function isJson(contentType: string): boolean {
  const type = mediaTypeOf(contentType);
  return type?.isUtf8 === true && JSON_TYPE.test(type.essence);
}

const hasNone = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;

/** Checks a body that its handler reads: it must have this Content-Type, be UTF-8, and not be compressed. */
export function mustBeOfType(req: IncomingMessage, contentType: string): void {
  const type = mediaTypeOf(req.headers['content-type'] ?? '');
  if (type?.isUtf8 !== true || type.essence !== contentType) throw otherType(contentType);
  mustBePlain(req);
}

function mustBePlain(req: IncomingMessage): void {
  const encoding = req.headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new Failure(415, 'unsupported_media_type', 'A compressed body is not supported: send it uncompressed.', {
    errors: [{ field: 'Content-Encoding', message: 'Content-Encoding must be left out.' }],
  });
}

const otherType = (contentType: string): Failure =>
  new Failure(415, 'unsupported_media_type', `The body must be ${contentType} in UTF-8: say so in Content-Type.`, {
    errors: [{ field: 'Content-Type', message: `Content-Type must be ${contentType}.` }],
  });

function parseBody(bytes: Buffer): object {
  if (bytes.length === 0) throw invalidField('body', 'is empty: send a JSON object');
  if (!isUtf8(bytes)) throw invalidField('body', 'is not UTF-8');
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const at = /position (\d+)/.exec(String(error))?.[1];
    throw invalidField('body', `is not valid JSON${at === undefined ? '' : ` (at character ${at})`}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidField('body', 'must be a JSON object');
  }
  const written = membersWritten(text);
  membersKept = 0;
  mayBeRounded = false;
  // In valid UTF-8 JSON, bad text can only be written with an escape. Most bodies have no escape.
  mayHaveBadText = text.includes('\\');
  const problem = findProblem(value);
  if (problem !== undefined) throw invalidField(fieldName(problem.path), problem.message);
  if (written !== membersKept) throw invalidField('body', 'names a field twice');
  return mayBeRounded ? (JSON.parse(withRoundedAsText(text)) as object) : value;
}

/** Counts the names in a text that is known to be JSON. Throws if it is nested too deeply. */
function membersWritten(text: string): number {
  let members = 0;
  let depth = 0;
  const { length } = text;
  for (let i = 0; i < length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: // A string: on to its closing quote.
        do {
          i = text.indexOf('"', i + 1);
        } while (escaped(text, i));
        break;
      case 0x3a:
        members++;
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > limits.nestingLevels) {
          throw invalidField('body', `is nested deeper than ${limits.nestingLevels} levels`);
        }
        break;
      case 0x5d:
      case 0x7d:
        depth--;
        break;
    }
  }
  return members;
}

function escaped(text: string, quote: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++;
  return backslashes % 2 === 1;
}

interface Problem {
  /** From the outermost name to the innermost. */
  readonly path: (string | number)[];
  readonly message: string;
}

/** Counted by findProblem, which is synchronous. A counter passed around would cost an object per body. */
let membersKept = 0;

/** A number may have more digits than a double holds. */
let mayBeRounded = false;

let mayHaveBadText = false;
const BAD_TEXT = /[\0\p{Cs}]/u;
const isBad = (text: string): boolean => mayHaveBadText && BAD_TEXT.test(text);

/** Finds a value that no field may contain. The caller has checked the nesting. */
function findProblem(value: unknown): Problem | undefined {
  if (typeof value === 'string') {
    return isBad(value) ? { path: [], message: 'contains U+0000 or a lone surrogate' } : undefined;
  }
  if (typeof value === 'number') return numberProblem(value);
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const problem = findProblem(value[i]);
      if (problem !== undefined) return within(i, problem);
    }
    return undefined;
  }
  for (const name in value) {
    membersKept++;
    if (name === '__proto__') return { path: [name], message: 'is not a known field' };
    if (isBad(name)) return { path: [], message: 'has a name that contains U+0000 or a lone surrogate' };
    const problem = findProblem((value as { readonly [name: string]: unknown })[name]);
    if (problem !== undefined) return within(name, problem);
  }
  return undefined;
}

function numberProblem(value: number): Problem | undefined {
  if (Math.abs(value) > ROUNDED_FROM) mayBeRounded = true;
  if (!Number.isFinite(value)) return { path: [], message: 'is a number that is too large' };
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return { path: [], message: 'is a whole number beyond 2^53 - 1, which cannot be kept exactly: send it as text' };
  }
  return undefined;
}

function within(name: string | number, problem: Problem): Problem {
  problem.path.unshift(name);
  return problem;
}

/** Such as `items[0].quantity`, or `body` for an empty path. Long names, which come from outside, are cut. */
export function fieldName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const part of path) {
    if (typeof part === 'number') name += `[${part}]`;
    else name += (name === '' ? '' : '.') + String(part).slice(0, 100);
  }
  return name === '' ? 'body' : name;
}
