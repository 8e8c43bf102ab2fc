/**
 * A cursor marks the place where a client continues to read a list. It is opaque and valid for that list only. It
 * holds the place and a checksum of the place and the filters. It grants nothing, so it needs no secret.
 */
import { fnv1a32 } from '../../actors/ids.js';
import { invalidField } from './failure.js';

const RULE =
  'is not a cursor of this list: send next_cursor unchanged and with the same filters, or start again without a cursor';
export const CURSOR_CHARS = 2_000;

/** A time and an id, or a version. */
type PlaceInList = readonly (string | number)[];

/** @param list names the list and its filters. */
export const cursorOf = (list: string, place: PlaceInList): string =>
  Buffer.from(JSON.stringify([checksum(list, place), ...place])).toString('base64url');

/** @throws Failure that names `cursor`. */
export function placeOf<P extends PlaceInList>(
  list: string,
  cursor: string,
  isPlace: (place: PlaceInList) => place is P,
): P {
  const [sum, ...place] = decoded(cursor);
  if (!isPlace(place) || sum !== checksum(list, place)) throw invalidField('cursor', RULE);
  return place;
}

/** The Link headers to the first and to the next page of the same list. @param url of the request. */
export function linksOf(url: string, limit: number, next: string | undefined): string[] {
  const links = [link(url, 'first', limit, undefined)];
  if (next !== undefined) links.push(link(url, 'next', limit, next));
  return links;
}

// ---------------------------------------------------------------- machinery

const checksum = (list: string, place: PlaceInList): number => fnv1a32(JSON.stringify([list, place]));

function decoded(cursor: string): readonly (string | number)[] {
  try {
    const bytes = Buffer.from(cursor, 'base64url');
    // Buffer skips characters that are not base64url.
    if (bytes.toString('base64url') !== cursor) return [];
    const value: unknown = JSON.parse(bytes.toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function link(url: string, rel: string, limit: number, cursor: string | undefined): string {
  const [path = '', query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.set('limit', String(limit));
  if (cursor === undefined) parameters.delete('cursor');
  else parameters.set('cursor', cursor);
  return `<${path.replace(/[^!#-;=?-~]/g, encodeURIComponent)}?${parameters}>; rel="${rel}"`;
}
