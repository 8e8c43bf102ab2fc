/**
 * One call for many who ask.
 *
 * Law: the answer is of a call that began after the question. A call under way may have passed what the question is
 * about, so whoever asks meanwhile waits for the next one.
 */
export class SharedCall<T> {
  private running: Promise<T> | undefined;
  private next: Promise<T> | undefined;

  constructor(private readonly call: () => Promise<T>) {}

  ask(): Promise<T> {
    if (this.running === undefined) {
      this.running = this.call().finally(() => {
        this.running = undefined;
      });
      return this.running;
    }
    const later = () => {
      this.next = undefined;
      return this.ask();
    };
    this.next ??= this.running.then(later, later);
    return this.next;
  }
}
