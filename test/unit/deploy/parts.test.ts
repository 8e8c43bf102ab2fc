// A port whose part is made later.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Placement } from '../../../actors/ports/placement.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { later } from '../../../deploy/parts.js';

const test = suite('parts');

class Nodes implements Placement {
  private readonly known = [];
  partitions = async () => [];
  async nodes() {
    return this.known;
  }
}

test('each call rejects until the part is made, and reaches it from then on', async () => {
  let part: Nodes | undefined;
  const port = later<Placement>(() => part);
  const refusal = await port.nodes().catch((error: unknown) => error);
  assert.instance(refusal, Unavailable);
  assert.match(String(refusal), /This node is starting/);
  part = new Nodes();
  assert.equal(await port.nodes(), []);
});

test.run();
