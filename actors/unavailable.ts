/** Thrown where nobody can say yes or no in time: the caller may ask again, and says 503 meanwhile. */
export class Unavailable extends Error {
  override name = 'Unavailable';
}
