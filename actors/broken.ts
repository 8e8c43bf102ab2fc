/** Thrown where no later try can heal it: broken code, or stored data that someone else changed. A person must look. */
export class Broken extends Error {
  override name = 'Broken';
}
