/** How often a caller may ask. Types alone; what a port promises is held by its contract suite. */

export interface Allowance {
  readonly isAllowed: boolean;
  /** Of so many within each window. */
  readonly limit: number;
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetMs: number;
}

/** Counts what each caller asks for, everywhere together where there is a store for it. */
export interface RateLimits {
  /** Never rejects, and ends within limits.cacheCallMs: what cannot be counted together is counted here. */
  take(caller: string): Promise<Allowance>;
}
