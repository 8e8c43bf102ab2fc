/**
 * The events of one message of EVENTS, each and each of its members as the text that it has there.
 *
 * Law: whatever goes out is cut from the message. Read and written again, an amount would pass through a double, which cannot
 * hold all its digits. What is asked about an event is asked of its own members: its data have whatever a client has sent.
 */

export interface EventText {
  readonly text: string;
  /** By name: the values' texts. */
  readonly members: ReadonlyMap<string, string>;
}

/** @param batch a JSON array of CloudEvents @throws when it is none */
export const eventTexts = (batch: string): EventText[] =>
  elementsOf(batch).map((text) => ({ text, members: membersOf(text) }));

/** A member that is a string; empty if it is none, or absent. */
export function stringIn({ members }: EventText, name: string): string {
  const value = members.get(name) ?? '';
  return value[0] === QUOTE ? decoded(value) : '';
}

/** The elements of an array, as texts. @throws when the text is no array */
export const elementsOf = (array: string): string[] => partsOf(array, '[', ']', 'array');

/** The members of an object: names, and values as texts. @throws when the text is no object */
export function membersOf(object: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const member of partsOf(object, '{', '}', 'object')) {
    const end = member[0] === QUOTE ? endOfString(member, 0) : 0;
    const value = member.slice(end).trimStart();
    if (end === 0 || value[0] !== ':') throw new Error(`no member of a JSON object: ${shown(member)}`);
    members.set(decoded(member.slice(0, end)), value.slice(1).trimStart());
  }
  return members;
}

/** The text of a string; any other value as it is. */
export function decoded(value: string): string {
  if (value[0] !== QUOTE) return value;
  return value.includes('\\') ? String(JSON.parse(value)) : value.slice(1, -1);
}

// ---------------------------------------------------------------- machinery

const QUOTE = '"';
const [QUOTE_CODE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [0x5b, 0x5d, 0x7b, 0x7d];

const shown = (text: string): string => text.slice(0, 60);

/** What stands between the brackets, from comma to comma, without the blanks around it. */
function partsOf(text: string, open: string, close: string, what: string): string[] {
  const json = text.trim();
  const end = json.length - 1;
  if (end < 1 || json[0] !== open || json[end] !== close) throw new Error(`no JSON ${what}: ${shown(text)}`);
  const parts: string[] = [];
  for (let from = 1; from <= end; ) {
    const to = endOfPart(json, from, end);
    const part = json.slice(from, to).trim();
    if (part !== '') parts.push(part);
    else if (to < end || parts.length > 0) throw new Error(`no value in a JSON ${what}: ${shown(json.slice(from))}`);
    from = to + 1;
  }
  return parts;
}

/** The place of the comma after the part that begins here, or of the bracket after the last part. */
function endOfPart(text: string, from: number, end: number): number {
  let depth = 0;
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE_CODE) at = endOfString(text, at) - 1;
    else if (code === OPEN || code === OPEN_LIST) depth++;
    else if (code === CLOSE || code === CLOSE_LIST) {
      if (--depth < 0) break;
    } else if (code === COMMA && depth === 0) return at;
  }
  if (depth !== 0) throw new Error(`no end of the value: ${shown(text.slice(from))}`);
  return end;
}

/** After the string that begins here: its closing quotation mark has an even number of backslashes before it. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf(QUOTE, from + 1); at > 0; at = text.indexOf(QUOTE, at + 1)) {
    let before = at - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((at - before) % 2 === 1) return at + 1;
  }
  throw new Error(`no end of the string: ${shown(text.slice(from))}`);
}
