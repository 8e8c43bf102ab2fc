/** A queue whose head can be looked at before it is taken, so that what does not fit stays first. */
export class Inbox<Item> {
  private items: Item[] = [];
  private head = 0;

  get size(): number {
    return this.items.length - this.head;
  }

  put(item: Item): void {
    this.items.push(item);
  }

  peek(): Item | undefined {
    return this.items[this.head];
  }

  shift(): void {
    this.head++;
    // What is taken is let go in bulk: shifting an array moves all of it.
    if (this.head > 1_024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
  }
}
