/** `npm run docs:pictures`: the pictures of the page in README.md and OPERATING.md, of a real system under a load of a minute. */
import { mkdir, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Burst } from '../faults/rig/burst.js';
import { RealSystem } from '../faults/rig/real-system.js';
import { RealChromium } from '../servers/real-chromium.js';

const FOLDER = 'http/page/pictures';
const MOST_BYTES = 150_000;
const SMALL_DESKTOP = { width: 1080, height: 720 };
const LOAD_S = 60;
const BUYERS = 3;
const PACE_MS = 60;
const UNDER_THE_GREMLIN_S = 12;
/** The plots have drawn what they got. */
const DRAWN_MS = 4_000;

type Look = NonNullable<Parameters<RealChromium['profile']>[0]>;

async function take(browser: RealChromium, url: string, name: string, look: Look): Promise<void> {
  const profile = await browser.profile(look);
  const { page } = await profile.open(url);
  if (look.phone !== true) await page.setViewportSize(SMALL_DESKTOP);
  await pause(DRAWN_MS);
  const path = `${FOLDER}/${name}.png`;
  await page.screenshot({ path, scale: 'css' });
  await profile.close();
  const { size } = await stat(path);
  console.log(`${path}: ${Math.round(size / 1_000)} kB`);
  if (size > MOST_BYTES) throw new Error(`${path} has ${size} bytes; at most ${MOST_BYTES} are wanted`);
}

/** Orders of a few people: most are confirmed, some ask for too much. */
function* purchases() {
  const people = ['ada', 'grace', 'edsger', 'barbara', 'alan', 'joan'];
  for (let i = 0; ; i++) {
    const product_id = `PROD-00${1 + (i % 5)}`;
    const quantity = i % 9 === 0 ? 100_000 : 1 + (i % 3);
    yield { user: people[i % people.length] ?? '', items: [{ product_id, quantity }] };
  }
}

async function main(): Promise<void> {
  const [browser, system] = [await RealChromium.start(), await RealSystem.build({ SEED: 'demo' })];
  if ('skipped' in browser || 'skipped' in system) throw new Error('skipped' in browser ? browser.skipped : 'no NATS');
  await mkdir(FOLDER, { recursive: true });
  await system.start();
  await system.post('/api/inventory', { products: STOCK });
  const load = new Burst(system.url, purchases(), BUYERS, PACE_MS);
  await pause(LOAD_S * 1_000);
  await take(browser, system.url, 'light', { colorScheme: 'light' });
  await take(browser, system.url, 'dark', { colorScheme: 'dark' });
  await take(browser, system.url, 'phone', { colorScheme: 'light', phone: true });
  await system.post('/internal/gremlin/enable', {});
  await pause(UNDER_THE_GREMLIN_S * 1_000);
  await take(browser, system.url, 'gremlin', { colorScheme: 'light' });
  await load.stop();
  await browser.stop();
  await system.demolish();
}

const NAMES = ['Gaming Console - PS5', 'Phone', 'Gaming Laptop', 'Headphones', 'Watch'];
const STOCK = NAMES.map((name, i) => ({
  product_id: `PROD-00${i + 1}`,
  name,
  unit_price: 99,
  currency: 'USD',
  stock: 9_000,
}));

await main();
