/** What a feed of webhooks counts. */
export interface WebhookMeter {
  /** Events that became deliveries, by webhook and event each. */
  taken(deliveries: number): void;
  attempted(outcome: 'delivered' | 'retry' | 'failed' | 'gone', ms: number): void;
  disabled(why: string): void;
  /** EVENTS has lost events that no webhook will get. */
  gap(): void;
  /** Deliveries of enabled webhooks that wait, as of the last look. */
  waiting(deliveries: number): void;
}
