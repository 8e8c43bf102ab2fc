/** What the API answers, as far as the page shows it. */

export interface Me {
  readonly auth: 'off' | 'keys';
  readonly subject: string;
  readonly user_id: string | null;
  readonly scopes: readonly string[];
  readonly environment: string;
  readonly gremlin: boolean;
}

export interface Order {
  readonly id: string;
  readonly user_id: string;
  readonly status: string;
  readonly reason?: string;
  readonly total_amount?: number;
  readonly currency?: string;
  readonly order_items: readonly Line[];
  readonly created_at: string;
}

export interface Line {
  readonly product_id: string;
  readonly quantity: number;
}

export interface Product {
  readonly product_id: string;
  readonly name: string;
  readonly on_hand: number;
  readonly held: number;
  readonly available: number;
  readonly backordered: number;
  readonly allow_backorder: boolean;
}

export interface Movement {
  readonly ref: string;
  readonly operation_type: string;
  readonly quantity: number;
  readonly created_at: string;
  readonly version: number;
  readonly on_hand_after: number;
  readonly held_after: number;
  readonly available_after: number;
  readonly reason?: string;
}

export interface Happened {
  readonly event: string;
  readonly version: number;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Dependency {
  readonly status: string;
  readonly why?: string;
  readonly source?: string;
}

export interface Health {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly version?: string;
  readonly journal?: { readonly kind: string; readonly guarantee: string };
  readonly dependencies?: Readonly<Record<string, Dependency>>;
}

export interface Placement {
  readonly data: readonly {
    readonly partition: number;
    readonly name?: string;
    readonly epoch: number;
    readonly state: string;
  }[];
  readonly nodes: readonly { readonly node: string; readonly name?: string; readonly alive?: boolean }[];
}

export interface Sample {
  readonly at: string;
  readonly confirmed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  readonly events: number | null;
}

export interface Overview {
  readonly node: { readonly name: string; readonly version: string; readonly started_at: string };
  readonly now: string;
  readonly every_ms: number;
  readonly samples: readonly Sample[];
  readonly events: {
    readonly last_sequence: number | null;
    readonly feeds: readonly { readonly name: string; readonly behind: number; readonly state: string }[];
  } | null;
  readonly verify: {
    readonly clean: boolean;
    readonly at: string;
    readonly violations: number;
    readonly of: string;
  } | null;
}

export interface Gremlin {
  readonly enabled: boolean;
  readonly until?: string;
  readonly rules?: readonly { readonly target: string; readonly kind: string }[];
  readonly hits: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface Data<T> {
  readonly data: T;
}

export interface Pagination {
  readonly page: number;
  readonly total: number;
  readonly total_pages: number;
}

export interface Listed<T> extends Data<T> {
  readonly pagination?: Pagination;
}

/** One for each currency. */
export interface StatsRow {
  readonly orders: number;
  readonly statuses: Readonly<Record<string, number>>;
}
