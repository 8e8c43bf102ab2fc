// One probe for each partition: a product of it that receives a piece again and again, at one edge after the other. The gaps
// between its answers show how long the partition served nobody.

import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { partitionOf, productId } from '../../../actors/ids.js';
import { send } from '../../faults/rig/burst.js';
import { PARTITIONS } from '../../faults/rig/cluster.js';
import type { RealSystem } from '../../faults/rig/real-system.js';

const WITHIN_MS = 6_000;
const AGAIN_MS = 20;

interface Answered {
  readonly sentAt: number;
  readonly endedAt: number;
}

/** A product of the partition. */
function productIn(partition: number, name = 'PROBE'): string {
  for (let i = 0; ; i++) {
    const id = `${name}-${i}`;
    if (partitionOf('product', productId(id), PARTITIONS) === partition) return id;
  }
}

export class Probes {
  /** By partition, in order. */
  readonly answers: Answered[][] = Array.from({ length: PARTITIONS }, () => []);
  private readonly agent = new Agent({ keepAlive: true });
  private readonly done: Promise<unknown>;
  private isOver = false;

  /** @param edges the addresses; the list may change meanwhile */
  constructor(
    private readonly edges: readonly string[],
    private readonly paceMs: number,
  ) {
    this.done = Promise.all(this.answers.map((answers, partition) => this.probe(partition, answers)));
  }

  static async stocked(at: RealSystem, edges: readonly string[], paceMs: number): Promise<Probes> {
    await at.stock(
      Array.from({ length: PARTITIONS }, (_, partition) => productIn(partition)),
      1,
    );
    return new Probes(edges, paceMs);
  }

  /** The longest time without an answer of each partition, of those that began or ended in the window. */
  longestGaps(from: number, to: number): number[] {
    return this.answers.map((answers) =>
      answers.reduce((longest, { endedAt }, i) => {
        const before = answers[i - 1]?.endedAt ?? endedAt;
        return endedAt < from || before > to ? longest : Math.max(longest, endedAt - before);
      }, 0),
    );
  }

  /** The gap of a partition around a moment; undefined before the first answer and after the last. */
  gapAt(partition: number, moment: number): number | undefined {
    const answers = this.answers[partition] ?? [];
    const i = answers.findIndex(({ endedAt }) => endedAt >= moment);
    const [before, after] = [answers[i - 1], answers[i]];
    return before && after && after.endedAt - before.endedAt;
  }

  /** When every partition has answered a question that was asked after the moment; undefined if one has not. */
  allAnswered(after: number): number | undefined {
    const firsts = this.answers.map((answers) => answers.find(({ sentAt }) => sentAt > after)?.endedAt);
    return firsts.includes(undefined) ? undefined : Math.max(...(firsts as number[]));
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.done;
    this.agent.destroy();
  }

  private async probe(partition: number, answers: Answered[]): Promise<void> {
    const product = productIn(partition);
    const body = { products: [{ product_id: product, name: product, unit_price: 1, currency: 'USD', stock: 1 }] };
    for (let turn = partition; !this.isOver; turn++) {
      const key = `probe-${partition}-${turn}`;
      for (let again = turn; !this.isOver; again++) {
        const sentAt = performance.now();
        const edge = this.edges[again % this.edges.length] ?? '';
        const answer = await send(this.agent, `${edge}/api/inventory`, 'POST', body, key, WITHIN_MS).catch(
          () => undefined,
        );
        if (answer !== undefined && answer.status < 300) {
          answers.push({ sentAt, endedAt: performance.now() });
          break;
        }
        await pause(AGAIN_MS);
      }
      await pause(this.paceMs);
    }
  }
}
