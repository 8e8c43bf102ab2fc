/** Thrown when no retry can help: broken code, or stored data that someone else changed. A person must look at it. */
export class Broken extends Error {
  override name = 'Broken';
}
