/** Which node owns which partition, over HTTP. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Unavailable } from '../../../actors/unavailable.js';
import { startFixture } from './edge-fixture.js';

const test = suite('placement');

test('both ports show every partition and node; what is not known is absent', async () => {
  const f = await startFixture();
  try {
    for (const base of [f.base, f.inventoryBase]) {
      const reply = await f.get(`${base}/internal/placement`);
      assert.is(reply.status, 200);
      assert.equal(JSON.parse(reply.text), {
        status: 'success',
        data: [
          {
            ...{ partition: 0, node: 'ONE', name: 'shop-one', epoch: 3, since: '1970-01-01T00:00:00.000Z' },
            state: 'running',
          },
          { partition: 1, epoch: 0, state: 'free' },
        ],
        nodes: [
          { node: 'ONE', name: 'shop-one', alive: true },
          { node: 'TWO', name: 'shop-two' },
        ],
      });
    }
  } finally {
    await f.stop();
  }
});

test('503 while the claims cannot be read', async () => {
  const silent = () => Promise.reject(new Unavailable('the claims cannot be read'));
  const f = await startFixture({ placement: { partitions: silent, nodes: silent } });
  try {
    const reply = await f.get('/internal/placement');
    assert.is(reply.status, 503);
    assert.is(reply.at('code'), 'unavailable');
  } finally {
    await f.stop();
  }
});

test.run();
