/**
 * Nodes over a link that loses, repeats, delays and reorders, while partitions move and nodes die, in virtual time:
 * every request under its id ends in one order, and nothing that may be a repeat is taken for fresh.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type OrderId, orderId, productId, userId } from '../../../actors/ids.js';
import type { PlaceReply } from '../../../actors/ports/owners.js';
import { memoryNetwork } from '../../../bus/peers/memory-link.js';
import { PARTITIONS, PeerNode, PeerSystem } from '../../contract/rig/peer-nodes.js';
import { type Being, Chance, Timeline } from '../../simulation/clock.js';

const test = suite('peers in bad weather');
const PATIENCE_MS = 60_000;
const PRODUCT = productId('P');

class Sea {
  readonly chance: Chance;
  readonly timeline: Timeline;
  readonly system = new PeerSystem();
  readonly nodes: { readonly node: PeerNode; readonly being: Being }[] = [];
  readonly replies = new Map<OrderId, PlaceReply>();
  readonly wrong: string[] = [];
  readonly counts = { fresh: 0, again: 0, repeat: 0 };
  isCalm = false;
  private readonly network;

  constructor(seed: number) {
    this.chance = new Chance(seed);
    this.timeline = new Timeline(this.chance, false);
    const weather = { lost: this.chance.pick([0, 0.1, 0.4]), repeated: this.chance.pick([0, 0.3]), delayMs: 300 };
    const calm = { lost: 0, repeated: 0, delayMs: 1 };
    this.network = memoryNetwork({ random: () => this.chance.next(), weather: () => (this.isCalm ? calm : weather) });
    this.system.memory.stockUp(PRODUCT, 1_000_000);
    this.system.memory.interfere = async (ask) => {
      const isKnown = this.system.memory.orderStates.has(ask.order);
      if (ask.fresh && isKnown) this.wrong.push(`${ask.order} is known, and was called fresh`);
      this.counts[ask.fresh ? 'fresh' : isKnown ? 'repeat' : 'again']++;
      return undefined;
    };
    for (let i = 0; i < 3; i++) this.add();
    for (let partition = 0; partition < PARTITIONS; partition++) this.move(partition);
  }

  add(): void {
    const being: Being = { name: `n${this.nodes.length}`, state: 'running', held: [] };
    const clock = this.timeline.clockOf(being, () => 0);
    const link = this.network.link(clock, () => being.state !== 'dead');
    const node = new PeerNode(being.name, this.system, link, clock);
    node.after = async () => {
      if (this.chance.hits(0.2))
        await new Promise<void>((resolve) => clock.after(this.chance.between(0, 900), resolve));
    };
    this.nodes.push({ node, being });
  }

  get alive() {
    return this.nodes.filter(({ being }) => being.state === 'running');
  }

  move(partition: number): void {
    const to = this.chance.any(this.alive)?.node;
    if (to !== undefined) this.system.claim(partition, to.journal, this.chance.hits(0.5));
  }

  place(no: number): void {
    const edge = this.chance.any(this.alive);
    if (edge === undefined) return;
    const order = orderId(`ORD-0${no}`);
    const ask = {
      ...{ order, fresh: true, correlation: 'c' },
      content: { user: userId('ann'), userIsNumber: false, lines: [{ product: PRODUCT, quantity: 1 }] },
    };
    edge.node.routed.place(ask, PATIENCE_MS).then((reply) => {
      if (edge.being.state === 'running') this.replies.set(order, reply);
    });
    this.asked.set(order, edge.being);
  }
  readonly asked = new Map<OrderId, Being>();

  disturb(): void {
    const partition = this.chance.whole(0, PARTITIONS - 1);
    if (this.chance.hits(0.6)) return this.move(partition);
    if (this.chance.hits(0.5)) {
      this.system.release(partition);
      this.timeline.after(this.chance.between(0, 2_000), () => this.move(partition));
    } else if (this.alive.length > 2) {
      const victim = this.chance.any(this.alive);
      if (victim === undefined) return;
      victim.being.state = 'dead';
      this.add();
      this.system.claims.forEach((claim, at) => {
        if (claim?.journal === victim.node.journal) this.timeline.after(2_500, () => this.move(at));
      });
    }
  }
}

const counts = { fresh: 0, again: 0, repeat: 0 };
for (let seed = 1; seed <= 25; seed++) {
  test(`seed ${seed}`, async () => {
    const sea = new Sea(seed);
    for (let no = 0; no < 200; no++) sea.timeline.after(sea.chance.between(0, 20_000), () => sea.place(no));
    for (let no = 0; no < 15; no++) sea.timeline.after(sea.chance.between(0, 20_000), () => sea.disturb());
    sea.timeline.after(25_000, () => {
      sea.isCalm = true;
      for (let partition = 0; partition < PARTITIONS; partition++) sea.move(partition);
    });
    while (sea.timeline.nowMs < 90_000 && (await sea.timeline.step()));
    const waited = [...sea.asked].filter(([, edge]) => edge.state === 'running').map(([order]) => order);
    assert.ok(waited.length > 20);
    assert.equal(sea.wrong, []);
    for (const order of waited) {
      assert.is(sea.replies.get(order)?.kind, 'outcome', `order ${order}: ${JSON.stringify(sea.replies.get(order))}`);
    }
    for (const { node } of sea.alive) assert.is(node.peers.asks.size, 0);
    for (const kind of ['fresh', 'again', 'repeat'] as const) counts[kind] += sea.counts[kind];
  });
}

test('all of it happened', () => {
  for (const [kind, count] of Object.entries(counts)) assert.ok(count > 50, `${kind}: ${count}`);
});

test.run();
