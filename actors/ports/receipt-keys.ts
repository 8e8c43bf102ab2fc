/**
 * Which receipt each client's key stands for. A receipt's products may have several owners, and none of them sees them
 * all. Types only; a contract suite tests each promise.
 */
import type { WriteId } from '../ids.js';

export interface ReceiptKeys {
  /**
   * The first receipt under a key has the key, for a day at least. After that its stored writes name it.
   * @returns the fingerprint of the receipt that has the key
   */
  take(ref: WriteId, fingerprint: string): Promise<string>;
}
