/**
 * JSON text of an id. A cascade names the same few ids a dozen times, so the last ones are remembered:
 * a fixed number of them, whatever comes.
 */
const SLOTS = 64;
const texts: string[] = new Array(SLOTS).fill('');
const quotes: string[] = new Array(SLOTS).fill('""');

export function quoted(text: string): string {
  // Ids differ at their end first.
  const slot = (text.length + (text.charCodeAt(text.length - 1) || 0) * 7) % SLOTS;
  if (texts[slot] !== text) {
    texts[slot] = text;
    quotes[slot] = JSON.stringify(text);
  }
  return quotes[slot] as string;
}
