/**
 * The JSON text of an id. A cascade names the same few ids a dozen times, so a fixed number of recent texts is cached.
 */
const SLOTS = 64;
const texts: string[] = new Array(SLOTS).fill('');
const quotes: string[] = new Array(SLOTS).fill('""');

export function quoted(text: string): string {
  // Most ids differ in their last characters.
  const slot = (text.length + (text.charCodeAt(text.length - 1) || 0) * 7) % SLOTS;
  if (texts[slot] !== text) {
    texts[slot] = text;
    quotes[slot] = JSON.stringify(text);
  }
  return quotes[slot] as string;
}
