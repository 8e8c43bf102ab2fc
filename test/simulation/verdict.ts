/** The first broken promise of a run. A check may fail deep in the product's callbacks, so it is stored, not thrown. */
type Promised =
  | 'never oversold'
  | 'all or nothing'
  | 'first come, first served'
  | 'one outcome'
  | 'a repeat is an answer'
  | 'a no stays a no'
  | 'a 2xx is durable'
  | 'read your writes'
  | 'no effect twice'
  | 'rows never go back'
  | 'times never go back'
  | 'each event once, in order'
  | 'money follows the order'
  | 'nothing leaves before its append'
  | 'one owner'
  | 'nobody is judged too early'
  | 'progress'
  | 'bounded'
  | 'nothing breaks';

export interface Broken {
  readonly promise: Promised;
  readonly how: string;
}

export class Verdict {
  broken: Broken | undefined;

  fail(promise: Promised, how: string): void {
    this.broken ??= { promise, how };
  }
}
