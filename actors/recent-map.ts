/**
 * A map of bounded weight that forgets the entries that were not used lately.
 *
 * It has two generations. A used entry moves into the young one. When the young one has half of the allowed weight, it
 * becomes the old one, and the entries of the former old one are forgotten. So each call costs the same at any size.
 */
export class Recent<Key, Value> {
  private young = new Map<Key, Value>();
  private old = new Map<Key, Value>();
  private youngWeight = 0;

  /** @param most the allowed sum of weights. A value that alone weighs more than half of it is not kept. */
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

  keys(): Key[] {
    return [...this.young.keys(), ...this.old.keys()];
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
