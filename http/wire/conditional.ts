/**
 * Conditional requests: If-Match and If-None-Match (RFC 9110, 8.8.3 and 13.1).
 *
 * Law: a condition that cannot be read never counts as fulfilled.
 */
import type { IncomingMessage } from 'node:http';
import { invalidField } from '../api/failure.js';

/** The tag includes its quotes. A weak tag may cover different bytes with the same meaning. */
interface EntityTag {
  readonly isWeak: boolean;
  readonly tag: string;
}

/** `any` matches every version. */
type TagList = 'any' | readonly EntityTag[];

/** The strong tags of If-Match, in quotes; a weak tag matches nothing. Undefined without the header. @throws Failure */
export function ifMatch({ headers }: IncomingMessage): 'any' | readonly string[] | undefined {
  const header = headers['if-match'];
  if (header === undefined) return undefined;
  const tags = tagsOf(header);
  if (tags === undefined) throw invalidField('If-Match', 'must be * or ETags as this API gives them, such as "4"');
  return tags === 'any' ? 'any' : tags.filter(({ isWeak }) => !isWeak).map(({ tag }) => tag);
}

/** The weak and strong tags of If-None-Match, in quotes. Undefined if the header is absent or cannot be read. */
export function ifNoneMatch({ headers }: IncomingMessage): 'any' | readonly string[] | undefined {
  const header = headers['if-none-match'];
  const tags = header === undefined ? undefined : tagsOf(header);
  return tags === undefined || tags === 'any' ? tags : tags.map(({ tag }) => tag);
}

/** Evaluates the conditions of a request for a resource at this version. @throws Failure */
export function precondition(req: IncomingMessage, etag: string): 'holds' | 'not modified' | 'failed' {
  const { isWeak, tag } = read(etag);
  const matching = ifMatch(req);
  if (matching !== undefined && matching !== 'any' && (isWeak || !matching.includes(tag))) return 'failed';
  const known = ifNoneMatch(req);
  return known === undefined || (known !== 'any' && !known.includes(tag)) ? 'holds' : 'not modified';
}

// ---------------------------------------------------------------- machinery

const TAG = /(W\/)?("[!#-~\x80-\xff]*")/y;
const BETWEEN = /[ \t]*(?:,[ \t]*)+/y;

/** Undefined if the header is neither `*` nor a list of entity tags. */
function tagsOf(header: string): TagList | undefined {
  const text = header.trim();
  if (text === '*') return 'any';
  const tags: EntityTag[] = [];
  // Empty list elements are skipped, even before the first tag.
  let at = after(BETWEEN, text, 0) ?? 0;
  while (at < text.length) {
    TAG.lastIndex = at;
    const found = TAG.exec(text);
    if (found === null) return undefined;
    tags.push({ isWeak: found[1] !== undefined, tag: found[2] ?? '' });
    at = TAG.lastIndex;
    if (at === text.length) break;
    const next = after(BETWEEN, text, at);
    if (next === undefined) return undefined;
    at = next;
  }
  return tags.length === 0 ? undefined : tags;
}

function after(pattern: RegExp, text: string, from: number): number | undefined {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

const read = (etag: string): EntityTag => ({ isWeak: etag.startsWith('W/'), tag: etag.replace(/^W\//, '') });
