// The page at `/` with AUTH=keys, in a real Chromium: it asks for a key, says why one is refused, shows a customer what is its
// own, an operator everything, and forgets a key that it is told to forget.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RealSystem } from '../faults/rig/real-system.js';
import { RealChromium } from '../servers/real-chromium.js';
import { axeFindings } from './rig/axe.js';
import { PageView } from './rig/page-view.js';

const ADMIN_KEY = '9e107d9d372bb6826bd81d3542a419d6';
/** What a browser says of a refusal that the test provokes. */
const REFUSED = /status of 40[13]/;

const test = suite('the page with keys');
const chromium = await RealChromium.start();
const built = 'skipped' in chromium ? chromium : await RealSystem.build({ SEED: 'demo', AUTH: 'keys', ADMIN_KEY });
if ('skipped' in built || 'skipped' in chromium)
  console.log(`SKIP the page with keys: ${(built as { skipped: string }).skipped}`);
else scenarios(built, chromium);

function scenarios(system: RealSystem, browser: RealChromium): void {
  let view: PageView;
  let customerKey = '';
  const use = async (key: string) => {
    await view.page.getByLabel(/key/i).first().fill(key);
    await view.button('Use this key').click();
  };

  test.before(async () => {
    await system.start();
    const scopes = ['--scopes', 'orders:read,orders:write', '--user', 'ada'];
    const made = await system.command('keys', 'create', '--name', 'ada', ...scopes);
    customerKey = /^hf_\S+$/m.exec(made.output)?.[0] ?? '';
    assert.is.not(customerKey, '', made.output);
    view = new PageView(await (await browser.profile()).open(system.url));
  });
  test.after(async () => {
    await browser.stop();
    await system.demolish();
  });

  test('without a key it shows nothing of the system, and asks for one', async () => {
    await view.button('Use this key').waitFor();
    assert.is(await view.page.getByText('PROD-001').count(), 0);
    assert.equal(await axeFindings(view.page), []);
  });

  test('a wrong key is refused in words', async () => {
    await use('hf_not_a_key');
    await view.eventually(view.page.locator('body'), /not (accepted|known|valid)|refused|wrong/i, 'the page');
    await view.button('Use this key').waitFor();
  });

  test('a customer sees its own orders, and nothing else', async () => {
    await use(customerKey);
    await view.part('Live orders').waitFor();
    const place = async (user: string) => {
      const placed = await system.post('/api/orders', { user_id: user, product_id: 'PROD-001', quantity: 1 });
      return (JSON.parse(placed.text) as { data: { id: string } }).data.id;
    };
    const [others, own] = [await place('grace'), await place('ada')];
    await view.shows('Live orders', own);
    assert.not.ok((await view.orders()).includes(others));
    assert.is(await view.button('Switch the gremlin on').count(), 0);
    assert.equal(await axeFindings(view.page), []);
  });

  test('the key is forgotten on demand, and after that nothing is shown', async () => {
    await view.button('Forget the key').click();
    await view.button('Use this key').waitFor();
    assert.is(await view.part('Live orders').count(), 0);
    await view.page.reload();
    await view.button('Use this key').waitFor();
  });

  test('an operator sees everything', async () => {
    await use(ADMIN_KEY);
    await view.shows('Stock', /PROD-001/);
    await view.shows('Placement', /running|16/);
    await view.button('Switch the gremlin on').waitFor();
    const text = await view.page.content();
    assert.not.ok(text.includes(ADMIN_KEY), 'the key is in the page');
    view.isQuiet(system.url, REFUSED);
    assert.equal(
      view.tab.requests.filter((request) => request.url().includes(ADMIN_KEY) || request.url().includes(customerKey)),
      [],
    );
  });

  test.run();
}
