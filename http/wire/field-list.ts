/** The elements of a list header (RFC 9110, 5.6.1). Quoted text in an element may contain commas. */
export const elementsOf = (field: string): string[] =>
  [...field.matchAll(ELEMENT)].map(([element]) => element.trim()).filter((element) => element !== '');

const ELEMENT = /(?:[^,"]|"(?:\\.|[^"\\])*"?)+/g;
