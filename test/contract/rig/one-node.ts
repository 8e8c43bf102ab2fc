/** A node without a supervisor: one incarnation that takes every partition, also from journals that still hold some. */
import { isHeld } from '../../../actors/node/claims.js';
import { Incarnation, type IncarnationParts } from '../../../bus/node/incarnation.js';
import { OwnershipMap } from '../../../bus/node/ownership-map.js';

export type NodeParts = Omit<IncarnationParts, 'ownership' | 'isStopping'>;

export async function startedNode(parts: NodeParts): Promise<Incarnation> {
  const ownership = new OwnershipMap(parts);
  const incarnation = new Incarnation({ ...parts, ownership, isStopping: () => false });
  const { map } = await ownership.refresh();
  const dead = new Set(map.filter(isHeld).map(({ journal }) => journal));
  await incarnation.host.take([...map.keys()], [...dead]);
  return incarnation;
}
