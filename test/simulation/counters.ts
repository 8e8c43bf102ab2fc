/** Counts faults and events over one run or many: a fault that never fired proves nothing. */
export class Counters {
  private readonly counts = new Map<string, number>();

  add(name: string, times = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  take(other: Counters): void {
    for (const [name, count] of other.counts) this.add(name, count);
  }

  toString(): string {
    return [...this.counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `  ${String(count).padStart(9)}  ${name}`)
      .join('\n');
  }
}
