/** How many requests a caller may make. Types only; a contract suite tests each promise. */

export interface Allowance {
  readonly isAllowed: boolean;
  /** Requests allowed within each window. */
  readonly limit: number;
  readonly remaining: number;
  /** Time until the window ends. */
  readonly resetMs: number;
}

/** Counts each caller's requests, across all processes if there is a shared store. */
export interface RateLimits {
  /** Never rejects; ends within limits.cacheCallMs. Without an answer of the shared store this process counts alone. */
  take(caller: string): Promise<Allowance>;
}
