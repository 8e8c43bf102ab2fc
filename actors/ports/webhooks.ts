/** Webhooks, and the deliveries to them. Types only; a contract suite tests each promise. */

/**
 * Who switched a webhook off: its operator (request); its receiver, which answered 410 (gone); Holdfast, as deliveries failed for
 * good one after the other (failing), or as too many wait (behind).
 */
export type DisabledFor = 'request' | 'gone' | 'failing' | 'behind';

export interface Webhook {
  readonly id: string;
  readonly url: string;
  /** Event types. A `*` at the end stands for any rest. */
  readonly types: readonly string[];
  readonly description: string;
  /** Undefined while it is enabled. */
  readonly disabledFor: DisabledFor | undefined;
  /** Deliveries that failed for good since the last one that succeeded. */
  readonly failures: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When it was made or last enabled, by the store's clock. It gets what EVENTS has stored since. */
  readonly since: number;
  /** Until when the secret before the last rotation signs as well; undefined when there is none. */
  readonly oldSecretUntil: number | undefined;
}

interface NewWebhook extends Pick<Webhook, 'id' | 'url' | 'types' | 'description'> {
  readonly secret: string;
}

interface WebhookChange extends Partial<Pick<Webhook, 'url' | 'types' | 'description'>> {
  readonly enabled?: boolean;
}

/** A delivery waits until its receiver has taken it, or until no attempt is left. */
export type DeliveryState = 'waiting' | 'delivered' | 'failed';

export interface Delivery {
  /** Grows with each delivery of the system. */
  readonly id: number;
  readonly webhook: string;
  readonly event: string;
  readonly type: string;
  readonly state: DeliveryState;
  /** Attempts that were begun, since it was last sent again on request. */
  readonly attempts: number;
  /** Of the last attempt that has ended. */
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly tookMs: number | undefined;
  readonly createdAt: number;
  /** When the next attempt may begin; undefined while an earlier event of its actor goes first. */
  readonly dueAt: number | undefined;
  readonly endedAt: number | undefined;
}

/** What an operator may do. A webhook that does not exist is undefined. */
export interface Webhooks {
  /** Undefined when there are limits.webhooks already. */
  create(webhook: NewWebhook): Promise<Webhook | undefined>;
  /** Oldest first. */
  list(): Promise<readonly Webhook[]>;
  find(id: string): Promise<Webhook | undefined>;
  /** Enabling begins `since` and `failures` anew. What waits goes on. */
  change(id: string, change: WebhookChange): Promise<Webhook | undefined>;
  /** The present secret signs for so long beside the new one; the one before it no longer. */
  rotate(id: string, secret: string, keepMs: number): Promise<Webhook | undefined>;
  /** Its deliveries go with it. */
  remove(id: string): Promise<Webhook | undefined>;
  /** Newest first, of one state or all. */
  deliveries(
    id: string,
    of: { readonly state: DeliveryState | undefined; readonly before: number | undefined; readonly limit: number },
  ): Promise<{ readonly deliveries: readonly Delivery[]; readonly more: boolean }>;
  /** Sends what has ended once more. What still waits is not changed. */
  redeliver(
    id: string,
    delivery: number,
  ): Promise<{ readonly isAgain: boolean; readonly delivery: Delivery } | undefined>;
}

// ---------------------------------------------------------------- for the feed

/** An enabled webhook as the feed needs it. */
export interface Subscription extends Pick<Webhook, 'id' | 'url' | 'types' | 'since'> {
  /** The present one first, then the one before it while it still signs. */
  readonly secrets: readonly string[];
}

export interface NewDelivery {
  readonly webhook: string;
  readonly event: string;
  readonly type: string;
  /** Events of one actor go to a webhook in their order. */
  readonly actor: string;
  readonly body: string;
}

/** A delivery that its claimer attempts now. */
export interface Claimed extends NewDelivery {
  readonly id: number;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** The latest earlier event of the actor that failed for good; undefined when there is none in the log. */
  readonly missing: string | undefined;
}

export interface Attempted extends Pick<Claimed, 'id' | 'webhook' | 'actor' | 'attempt'> {
  /** `gone` fails, and disables the webhook. */
  readonly outcome: 'delivered' | 'retry' | 'failed' | 'gone';
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly tookMs: number;
  /** Of a retry. */
  readonly againInMs: number;
}

/** Deliveries between EVENTS and the receivers. Any number of processes may use it at once. */
export interface WebhookQueue {
  /** How far EVENTS was read; the version changes with it. */
  place(): Promise<{ readonly version: number; readonly cursor: string | undefined }>;
  subscriptions(): Promise<readonly Subscription[]>;
  /** How many deliveries wait, by enabled webhook. Counting stops one above limits.webhookWaiting. */
  waiting(): Promise<ReadonlyMap<string, number>>;
  /**
   * Stores deliveries and moves the place, both or none. A delivery that a webhook has already is left out, and so is one to a
   * webhook that is disabled or gone. Without a cursor the place stays.
   * @returns the version now; undefined if it was another one: somebody else has gone on
   */
  take(version: number, deliveries: readonly NewDelivery[], cursor: string | undefined): Promise<number | undefined>;
  /**
   * Begins attempts: of each webhook up to so many, whichever are due longest. Nobody else gets them for leaseMs. Of one actor
   * and webhook only the first that waits is due.
   */
  claim(
    rooms: readonly { readonly webhook: string; readonly room: number }[],
    leaseMs: number,
  ): Promise<readonly Claimed[]>;
  /**
   * Notes what became of attempts. A claim that ended meanwhile counts only if the event was delivered.
   * @returns the webhooks that this has disabled
   */
  settle(attempts: readonly Attempted[]): Promise<readonly { readonly id: string; readonly why: DisabledFor }[]>;
  /** Returns false when it was disabled before. */
  disable(id: string, why: DisabledFor): Promise<boolean>;
  /**
   * Forgets deliveries that ended longer ago, or that are more of one webhook than the log keeps. Finds those whose turn has come
   * unnoticed. One call does a part of it that others need not wait for long.
   * @returns how many were forgotten, and whether there may be more
   */
  sweep(keepMs: number, keep: number): Promise<{ readonly forgotten: number; readonly more: boolean }>;
}
