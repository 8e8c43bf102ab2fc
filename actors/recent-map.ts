/**
 * A map that holds no more than it may and forgets what was not used lately.
 *
 * Two generations: what is used moves into the young one; when that is half of all there may be, it becomes
 * the old one, and what was still old is forgotten. So each call costs the same, however much is held.
 */
export class Recent<Key, Value> {
  private young = new Map<Key, Value>();
  private old = new Map<Key, Value>();
  private youngWeight = 0;

  /** @param most of the weights of everything held; what alone weighs more than half of it is not kept. */
  constructor(
    private readonly most: number,
    private readonly weigh: (value: Value) => number = () => 1,
  ) {}

  get(key: Key): Value | undefined {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: Key, value: Value): void {
    this.delete(key);
    const weight = this.weigh(value);
    if (this.youngWeight + weight > this.most / 2) {
      this.old = this.young;
      this.young = new Map();
      this.youngWeight = 0;
    }
    if (weight > this.most / 2) return;
    this.young.set(key, value);
    this.youngWeight += weight;
  }

  delete(key: Key): void {
    const value = this.young.get(key);
    if (value === undefined) {
      this.old.delete(key);
      return;
    }
    this.young.delete(key);
    this.youngWeight -= this.weigh(value);
  }
}
