import type { NoAnswer } from './ports/owners.js';

/** Thrown when no owner can answer in time. The edge replies 503, and the client may try again. */
export class Unavailable extends Error {
  override name = 'Unavailable';
  constructor(
    message?: string,
    /** No owner got the request: see NoAnswer (ports/owners.ts). */
    readonly absent = false,
    /** The partition is not of the node that was asked: see NoAnswer. */
    readonly moved = false,
    /** The owner itself says why: see NoAnswer. */
    readonly told = false,
  ) {
    super(message);
  }
}

/** The error as a reply. */
export const noAnswer = ({ message, absent, moved, told }: Unavailable): NoAnswer => ({
  kind: 'unavailable',
  why: message,
  absent,
  ...(moved && { moved }),
  ...(told && { told }),
});
