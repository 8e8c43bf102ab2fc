/** How letters travel between partitions. Types only; a contract suite tests each promise. */
import type { Letter } from '../protocol.js';

/** A letter from one partition to another, with a number in its channel. */
export interface NumberedLetter {
  readonly from: number;
  readonly to: number;
  /** Dense from 1 in the channel (from, to). */
  readonly number: number;
  readonly correlation: string;
  readonly letter: Letter;
}

/** Every letter of the channel (from, to) up to this number has had its effect. */
export interface Confirmation {
  readonly from: number;
  readonly to: number;
  readonly upTo: number;
}

/** Carries letters and confirmations between partitions. It may lose, repeat and reorder them. */
export interface Post {
  send(letters: readonly NumberedLetter[]): void;
  confirm(confirmation: Confirmation): void;
}
