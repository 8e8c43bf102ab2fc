/** A queue whose first item can be read before it is removed. So an item that does not fit into a turn stays first. */
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

  /** Takes the items of which it is true, wherever they stand. */
  remove(isIt: (item: Item) => boolean): Item[] {
    const waiting = this.items.slice(this.head);
    this.items = waiting.filter((item) => !isIt(item));
    this.head = 0;
    return waiting.filter(isIt);
  }

  shift(): void {
    this.head++;
    // Removed items are dropped in bulk: Array.shift moves all other items each time.
    if (this.head > 1_024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
  }
}
