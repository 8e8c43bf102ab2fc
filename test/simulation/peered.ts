/** One process among the other nodes: the product's Peers on the simulated bus, and the owners that its edge asks. */
import type { Post } from '../../actors/ports/letters.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Receiver } from '../../bus/letters/local-post.js';
import type { OwnershipMap } from '../../bus/node/ownership-map.js';
import { peerPost } from '../../bus/peers/peer-post.js';
import { Peers } from '../../bus/peers/peers.js';
import { routedOwners } from '../../bus/peers/routed-owners.js';
import type { Machine, Surroundings } from './machine.js';

export class Peered {
  readonly post: Post;
  readonly owners: Owners;
  private readonly peers: Peers;

  constructor(
    private readonly machine: Machine,
    clock: Clock,
    logger: Logger,
    { network, setting }: Pick<Surroundings, 'network' | 'setting'>,
  ) {
    const { name, life } = machine;
    const ownership = life.ownership as OwnershipMap;
    const link = network.link(machine, clock);
    this.peers = new Peers({ link, ownership, name, clock, logger });
    this.post = peerPost(this.peers, ownership, clock);
    this.owners = routedOwners({
      partitions: setting.partitions,
      local: () => this.peers.local,
      asks: this.peers.asks,
      notReady: () => life.notReady(),
      clock,
    });
  }

  serve(receiver: Receiver | undefined): void {
    const { incarnation } = this.machine.life;
    if (receiver === undefined || incarnation === undefined) return this.peers.serve(undefined);
    const { journal, node, owners } = incarnation;
    const epochOf = (partition: number) => node.world.epochOf(partition);
    const { partitions } = node.world;
    this.peers.serve({
      ...{ journal, owners, receiver, epochOf },
      hurryFlush: (position) => incarnation.driver.hurryFlush(position),
      get ownsAll() {
        return node.world.owned.size === partitions;
      },
    });
  }
}
