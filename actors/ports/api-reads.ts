/** The reads of the API by name, for whoever asks otherwise than over HTTP. Types only. */

export type ApiRead = 'orders.get' | 'orders.history' | 'inventory.get' | 'inventory.ledger';

export interface ApiReads {
  /**
   * Answers as the API does, errors too: the same JSON, and the status that HTTP would have. Whoever asks may see all.
   * @param asked an id; after it a query as in a URL, where the read has one
   */
  read(what: ApiRead, asked: string): Promise<{ readonly status: number; readonly body: string }>;
}
