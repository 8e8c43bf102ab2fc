import type { NoAnswer } from './ports/owners.js';

/** Thrown where nobody can say yes or no in time: the caller may ask again, and says 503 meanwhile. */
export class Unavailable extends Error {
  override name = 'Unavailable';
  constructor(
    message?: string,
    /** Nobody was asked: see NoAnswer (ports/owners.ts). */
    readonly absent = false,
  ) {
    super(message);
  }
}

/** The same as a reply. */
export const noAnswer = ({ message, absent }: Unavailable): NoAnswer => ({ kind: 'unavailable', why: message, absent });
