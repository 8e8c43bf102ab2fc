// This process among the nodes of its system: its edge reaches every owner, and letters reach the partitions of other nodes.

import { type JournalId, journalId, type NodeId } from '../actors/ids.js';
import { isHeld } from '../actors/node/claims.js';
import type { ApiReads } from '../actors/ports/api-reads.js';
import type { FeedReport } from '../actors/ports/feeds.js';
import type { Owners } from '../actors/ports/owners.js';
import type { Clock, Logger } from '../actors/ports/runtime.js';
import type { Tracing } from '../actors/ports/tracing.js';
import type { LocalPost } from '../bus/letters/local-post.js';
import type { Nats } from '../bus/nats/nats.js';
import type { Incarnation } from '../bus/node/incarnation.js';
import type { OwnershipMap } from '../bus/node/ownership-map.js';
import { readEndpoints } from '../bus/peers/asked-reads.js';
import { microService } from '../bus/peers/micro-service.js';
import { natsLink, systemSubject } from '../bus/peers/nats-link.js';
import type { LocalOwner } from '../bus/peers/owned-partitions.js';
import { peerPost } from '../bus/peers/peer-post.js';
import { Peers } from '../bus/peers/peers.js';
import { routedOwners } from '../bus/peers/routed-owners.js';
import { LetterSpans } from '../bus/tracing/letter-spans.js';
import { tracedAsks } from '../bus/tracing/traced-ports.js';
import { version } from './version.js';

interface AmongNodesParts {
  readonly nats: Nats;
  /** The settled id of the system. */
  readonly system: string;
  readonly node: NodeId;
  readonly nodeName: string;
  readonly partitions: number;
  readonly ownership: OwnershipMap;
  /** The incarnation that runs in this process. */
  readonly incarnation: () => Incarnation | undefined;
  /** How the feeds of this process and its child fare. */
  readonly feeds: () => readonly FeedReport[];
  readonly notReady: () => Promise<string | undefined>;
  /** The API's reads, for those who ask over NATS; undefined: nobody may. */
  readonly reads: ApiReads | undefined;
  /** What this process does, for people. */
  readonly roles: string;
  /** A message to that incarnation reached nobody. */
  readonly onNobody: (journal: JournalId) => void;
  /** Undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class AmongNodes {
  /** Every owner, here or on another node. */
  readonly owners: Owners;
  /** Whoever begins or ends an incarnation tells it here. */
  readonly post: LocalPost;
  private readonly peers: Peers;
  private readonly moved: Pick<ReturnType<Nats['sender']>, 'send' | 'close'>;
  private readonly ends: readonly (() => void)[];

  constructor(private readonly parts: AmongNodesParts) {
    const { nats, system, partitions, ownership, nodeName: name, clock, notReady, incarnation, onNobody } = parts;
    const { tracing } = parts;
    this.peers = new Peers({
      ...{ ...parts, link: natsLink(nats, system), name },
      onNobody: (at) => onNobody(journalId(at)),
    });
    const { peers } = this;
    const asks = tracing === undefined ? peers.asks : tracedAsks(peers.asks, tracing, clock);
    const letters = tracing && new LetterSpans(tracing, clock);
    const post = peerPost(peers, ownership, clock);
    this.owners = routedOwners({ partitions, local: () => peers.local, asks, notReady, clock });
    this.post = {
      ...(letters?.sending(post) ?? post),
      deliverTo: () => peers.serve(localOf(incarnation(), partitions, letters)),
    };
    const moved = systemSubject(system, 'moved');
    this.moved = nats.sender(moved);
    this.ends = [
      // Whoever waits for a partition need not wait for the next look at the claims.
      nats.subscribe(moved, (by) => {
        if (by === peers.edge) return;
        peers.asks.wake(); // An owner that is known already may run the partition now.
        ownership.refresh().then(
          () => peers.asks.wake(),
          () => {}, // The next look tries again.
        );
      }),
      this.service(),
    ];
  }

  /** Requests of this edge to other nodes that have no answer yet. */
  get asks(): number {
    return this.peers.asks.size;
  }

  /** Whether another node owns a partition: what this one lets go of finds an owner there. */
  get hasOthers(): boolean {
    const { ownership, node } = this.parts;
    return ownership.ownership.map.some((claim) => isHeld(claim) && claim.node !== node);
  }

  /** This process has changed the claims, or partitions begin to run here: whoever waits for one may look at once. */
  tellMoved(): void {
    this.moved.send(this.peers.edge);
    this.peers.asks.wake();
  }

  /** Somebody waits until the rows of another node's journal have this position: it may write them earlier. */
  hurryFlush(journal: JournalId, position: number): void {
    this.peers.hurryFlush(journal, position);
  }

  /** This process as a NATS micro service. */
  private service(): () => void {
    const { nats, system, node, nodeName, roles, incarnation, feeds, reads, clock, logger } = this.parts;
    const states = () => [...(incarnation()?.host.states() ?? [])];
    return microService({
      ...{ nats, clock, logger, id: this.peers.edge, version },
      description: `Holdfast, node ${nodeName} (${roles})`,
      metadata: () => ({ system, node, name: nodeName, roles, journal: incarnation()?.journal ?? '' }),
      figures: () => ({ partitions: states().length, asks: this.asks, feeds: feeds() }),
      endpoints: [
        {
          name: 'placement',
          subject: systemSubject(system, `placement.${node}`),
          about: 'the partitions of this node',
          answer: async () => ({ status: 200, body: JSON.stringify(Object.fromEntries(states())) }),
        },
        ...(reads === undefined ? [] : readEndpoints(reads)),
      ],
    });
  }

  stop(): void {
    for (const end of this.ends) end();
    this.moved.close();
    this.peers.stop();
  }
}

function localOf(
  incarnation: Incarnation | undefined,
  partitions: number,
  letters: LetterSpans | undefined,
): LocalOwner | undefined {
  if (incarnation === undefined) return undefined;
  const { journal, owners, driver, node } = incarnation;
  const { world } = node;
  return {
    ...{ journal, owners, receiver: letters?.receiving(driver) ?? driver },
    hurryFlush: (position) => driver.hurryFlush(position),
    epochOf: (partition) => world.epochOf(partition),
    get ownsAll() {
      return world.owned.size === partitions;
    },
  };
}
