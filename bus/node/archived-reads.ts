/** Reads orders from their archives, some at once. A slow archive keeps nobody waiting but those who want its orders. */
import type { OrderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { StoredOrder } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { Unavailable } from '../../actors/unavailable.js';

export class ArchivedReads {
  private readonly waiting: OrderId[] = [];
  private running = 0;

  constructor(
    private readonly snapshots: Pick<Snapshots, 'archived'>,
    /** @param why the order could not be read, as a sentence */
    private readonly tell: (order: OrderId, found: StoredOrder | undefined, why?: string) => void,
  ) {}

  read(order: OrderId): void {
    this.waiting.push(order);
    this.next();
  }

  private next(): void {
    if (this.running >= limits.archiveReadsAtOnce) return;
    const order = this.waiting.shift();
    if (order === undefined) return;
    this.running++;
    this.snapshots
      .archived(order)
      .then(
        (found) => this.tell(order, found),
        (error: unknown) => this.tell(order, undefined, error instanceof Unavailable ? error.message : NO_ANSWER),
      )
      .finally(() => {
        this.running--;
        this.next();
      });
  }
}

const NO_ANSWER = 'Postgres does not answer, so the archive of this order is not known.';
