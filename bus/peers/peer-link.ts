/**
 * How texts travel between nodes. A link may lose, repeat, delay and reorder them: what must arrive is repeated by its
 * sender. Two links: nats-link.ts, and its twin in memory, memory-link.ts.
 */

/** Where a node listens: the name of an edge, or of an incarnation's journal. A subject ends with it. */
export type PeerAddress = string;

export interface PeerLink {
  /** The most UTF-8 bytes of one text. */
  readonly mostBytes: number;
  /** @param nobody called with each text that reached nobody: nobody listens at the address. */
  to(address: PeerAddress, nobody: () => void): PeerLine;
  /** @returns a function that ends the listening */
  listen(address: PeerAddress, take: (text: string) => void): () => void;
}

export interface PeerLine {
  /** Texts of one line usually arrive in order. */
  send(text: string): void;
  close(): void;
}
