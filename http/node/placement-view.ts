/** Who owns which partition, over HTTP. What is not known is absent. */
import type { PlacedNode, PlacedPartition, Placement } from '../../actors/ports/placement.js';
import type { Answer } from '../api/reply.js';

export class PlacementView {
  private readonly placement: Placement;

  constructor(placement: Placement) {
    this.placement = placement;
  }

  show = async (): Promise<Answer> => {
    const [partitions, nodes] = await Promise.all([this.placement.partitions(), this.placement.nodes()]);
    const shown = { status: 'success', data: partitions.map(partitionJson), nodes: nodes.map(nodeJson) };
    return { status: 200, body: JSON.stringify(shown) };
  };
}

/** A member that is undefined is left out of the JSON. */
const partitionJson = ({ partition, node, name, epoch, since, state }: PlacedPartition): object => ({
  ...{ partition, node, name, epoch, since: since === undefined ? undefined : new Date(since), state },
});

const nodeJson = ({ node, name, alive }: PlacedNode): object => ({ node, name, alive });
