// The page at `/` on two nodes, in a real Chromium: the page's own node is killed, orders go on at the other one, the node
// comes back, and the page has every order once. The failure of the other node shows in the placement.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { Cluster } from '../faults/rig/cluster.js';
import { RealChromium } from '../servers/real-chromium.js';
import { PageView } from './rig/page-view.js';

const SHOWN_MS = 60_000;
/** What a browser says while nobody answers. */
const AWAY =
  /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|status of 503/;

const test = suite('the page on two nodes');
const chromium = await RealChromium.start();
const built = 'skipped' in chromium ? chromium : await Cluster.build();
if ('skipped' in built || 'skipped' in chromium)
  console.log(`SKIP the page on two nodes: ${(built as { skipped: string }).skipped}`);
else scenarios(built, chromium);

function scenarios(cluster: Cluster, browser: RealChromium): void {
  test.after(async () => {
    await browser.stop();
    await cluster.demolish();
  });

  test('its node is killed and comes back: it says so, goes on by itself, and has every order once', async () => {
    await cluster.start('one', 'two');
    const [one, two] = cluster.nodes;
    assert.ok(one && two);
    await two.stock(['PAGE-1'], 1_000);
    const order = async (user: string) => {
      const placed = await two.post('/api/orders', { user_id: user, product_id: 'PAGE-1', quantity: 1 });
      assert.is(placed.status, 201, placed.text);
      return (JSON.parse(placed.text) as { data: { id: string } }).data.id;
    };
    const view = new PageView(await (await browser.profile()).open(one.url));
    await view.shows('Placement', /one.*two|two.*one/);
    const ids = [await order('before')];
    await view.shows('Live orders', ids[0] ?? '');

    await cluster.end(one, 'SIGKILL');
    await view.eventually(view.page.locator('body'), /not answer|no answer|lost|again/i, 'the page');
    await cluster.owned([two], SHOWN_MS);
    for (let i = 0; i < 5; i++) ids.push(await order(`meanwhile-${i}`));
    const asked = view.tab.requests.length;
    await cluster.begin(one);
    const hasAll = async () => {
      const shown = await view.orders();
      return ids.every((id) => shown.includes(id));
    };
    assert.ok(await until(hasAll, SHOWN_MS, 100), `${await view.orders()} of ${ids}`);
    ids.push(await order('after'));
    assert.ok(await until(hasAll, SHOWN_MS, 100), `${await view.orders()} of ${ids}`);
    const shown = await view.orders();
    assert.is(new Set(shown).size, shown.length, `an order is shown twice: ${shown}`);
    const again = view.tab.requests.slice(asked).filter((request) => request.url().includes('/api/events'));
    const places = await Promise.all(
      again.map(
        async (request) =>
          (await request.allHeaders())['last-event-id'] ?? new URL(request.url()).searchParams.get('after'),
      ),
    );
    assert.ok(places.some(Boolean), 'it came again without its place');

    await cluster.end(two, 'SIGKILL');
    await cluster.owned([one], SHOWN_MS);
    const isAlone = async () => !/\btwo\b.*\b[1-9]\d* /.test(await view.part('Placement').innerText());
    assert.ok(await until(isAlone, SHOWN_MS, 100), await view.part('Placement').innerText());
    view.isQuiet(one.url, AWAY);
  });

  test.run();
}
