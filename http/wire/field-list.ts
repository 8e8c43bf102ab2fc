/** A header field that is a list (RFC 9110, 5.6.1): its elements, of which a text in quotes may hold commas. */
export const elementsOf = (field: string): string[] =>
  [...field.matchAll(ELEMENT)].map(([element]) => element.trim()).filter((element) => element !== '');

const ELEMENT = /(?:[^,"]|"(?:\\.|[^"\\])*"?)+/g;
