/**
 * Public events as they come, for the listeners of an edge. Types only; a contract suite tests each promise.
 *
 *  L1. A listener is told each event that its filter matches and that comes after its place: once, and each actor's in order.
 *      It does not matter which node told it the earlier ones, or what became of the broker meanwhile.
 *  L2. What cannot be told any more (retention, a broker that lost it for good) is told as a gap. Nothing is left out silently.
 *  L3. A listener that does not take what it is told costs no memory. It goes on from its place, or is ended with a reason.
 *  L4. Whoever is far behind is told a limited part of the past, whether it matches or not. Then it is ended with a place that
 *      has moved on, and comes again for more.
 */

/** Conditions that every told event meets; an absent field is no condition. */
export interface EventFilter {
  /** Events of this order alone, none of its products'. */
  readonly order?: string;
  /** Events of this product, and those of orders that name it. */
  readonly product?: string;
  /** Events of this user's orders: only those that name the user. */
  readonly user?: string;
  /** Beside a user's orders: the events of products as well. */
  readonly stock?: boolean;
  /** Types with or without their version, or kinds: `order.placed.v1`, `order.placed`, `order`. */
  readonly types?: ReadonlySet<string>;
}

export interface LiveEvent {
  /** The place after this event: whoever names it is told what comes next. */
  readonly id: string;
  /** A CloudEvent in JSON, as it is on EVENTS. */
  readonly text: string;
}

/** Why nothing more is told. The listener may come again with the id that it has, here or at another node. */
export type EndOfEvents = 'too_slow' | 'interrupted';

export interface Listener {
  /** @returns false when it takes no more until it calls `goOn` */
  event(event: LiveEvent): boolean;
  /** Events are lost, and the sentence says which. What follows is told. @returns as `event` does */
  gap(sentence: string): boolean;
  /** @param place after everything that was told, or passed over, if that is further than the last event's id */
  ended(why: EndOfEvents, place?: string): void;
}

export interface Listening {
  /** After everything that was told, or passed over; undefined while there is more to tell. */
  readonly place: string | undefined;
  /** Takes more again. */
  goOn(): void;
  stop(): void;
}

export interface LiveEvents {
  /** Why there are no live events at all, as a sentence; undefined when there are. */
  readonly absence: string | undefined;
  /** The place after every event so far. @throws Unavailable when EVENTS does not answer, or there is none */
  now(): Promise<string>;
  /** Whether the text has the form of a place. */
  isPlace(text: string): boolean;
  /**
   * @param place a place that any node has told
   * @param caller who listens, if that is known: one caller's listeners are told the past one after the other
   */
  listen(filter: EventFilter, place: string, listener: Listener, caller?: string): Listening;
}
