// The page at `/` in a real Chromium, on a real system: every control is used, another client's orders appear by themselves,
// two tabs stay in step, a keyboard is enough, axe finds nothing, and a storm of events does not freeze it.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs, until } from '../deadlines.js';
import { Burst } from '../faults/rig/burst.js';
import { RealSystem } from '../faults/rig/real-system.js';
import { RealChromium } from '../servers/real-chromium.js';
import { axeFindings } from './rig/axe.js';
import { PageView } from './rig/page-view.js';

const SHOWN_MS = 20_000;
const ANSWERED_MS = 1_000;
const STORM_ORDERS = 4_000;
const STORM_CONNECTIONS = 40;
/** Elements of a page that has been through a storm. */
const MOST_ELEMENTS = 4_000;
const HIDDEN_MS = 5_000;
/** What a browser says of the ninety buyers who get nothing. */
const OUT_OF_STOCK = /status of 409/;

const test = suite('the page');
const chromium = await RealChromium.start();
const built = 'skipped' in chromium ? chromium : await RealSystem.build({ SEED: 'demo' });
if ('skipped' in built || 'skipped' in chromium)
  console.log(`SKIP the page: ${(built as { skipped: string }).skipped}`);
else scenarios(built, chromium);

function scenarios(system: RealSystem, browser: RealChromium): void {
  const order = async (user: string, product = 'PROD-001', quantity = 1): Promise<string> => {
    const placed = await system.post('/api/orders', { user_id: user, product_id: product, quantity });
    return (JSON.parse(placed.text) as { data: { id: string } }).data.id;
  };
  const opened: { close(): Promise<void> }[] = [];
  const open = async (...looks: Parameters<RealChromium['profile']>): Promise<PageView> => {
    const profile = await browser.profile(...looks);
    opened.push(profile);
    return new PageView(await profile.open(system.url));
  };
  let view: PageView;

  test.before(async () => {
    await system.start();
    view = await open();
  });
  test.after.each(async () => {
    for (const profile of opened.splice(1)) await profile.close();
  });
  test.after(async () => {
    await browser.stop();
    await system.demolish();
  });

  test('it shows what a visitor wants to know, at once', async () => {
    for (const heading of ['Live orders', 'Stock', 'Placement', 'Latency', 'Orders per second', 'Events', 'Gremlin'])
      await view.part(heading).waitFor();
    await view.shows('Stock', /PROD-001.*100/);
    await view.shows('Health', /postgres/i);
    await view.shows('Placement', /16/);
  });

  test('an order of another client appears by itself, and its history and its stock are a click away', async () => {
    const id = await order('ada');
    await view.shows('Live orders', id);
    await view.shows('Live orders', /confirmed/);
    await view.button(new RegExp(id)).first().click();
    const history = view.dialog(`History of ${id}`);
    await view.eventually(history, /placed.*held.*paid.*confirmed/i, 'the history');
    assert.equal(await axeFindings(view.page), []);
    await history.getByRole('button', { name: 'Close' }).click();
    await history.waitFor({ state: 'hidden' });
    await view.shows('Stock', /PROD-001.*99/);
    await view
      .button(/PROD-001/)
      .first()
      .click();
    const ledger = view.dialog('Ledger of PROD-001');
    await view.eventually(ledger, /received|receive/i, 'the ledger');
    assert.equal(await axeFindings(view.page), []);
    await view.page.keyboard.press('Escape');
    await ledger.waitFor({ state: 'hidden' });
  });

  test('an order that is placed here, and sent again, has one answer', async () => {
    const part = view.part('Place an order');
    await part.getByLabel(/user/i).fill('grace');
    await part.getByLabel(/quantity/i).fill('2');
    await view.button('Place order').click();
    await view.eventually(part, /ORD-\w{26}/, 'the form');
    const [id = ''] = /ORD-\w{26}/.exec(await part.innerText()) ?? [];
    await view.shows('Live orders', id);
    const posts = () =>
      view.tab.requests.filter((each) => each.method() === 'POST' && each.url().endsWith('/api/orders'));
    const before = posts().length;
    await view.button('Send it again').click();
    assert.ok(await until(() => posts().length > before, SHOWN_MS));
    const [first, again] = posts().slice(-2);
    assert.is(await (await again?.response())?.text(), await (await first?.response())?.text());
    await view.eventually(part, /same/i, 'the form');
  });

  test('of a hundred buyers of ten units, ten get one', async () => {
    await view.button('100 buyers, 10 units').click();
    await view.shows('Burst', /10 sold.*90 refused.*0 oversold/i, 60_000);
  });

  test('the gremlin goes on and off by its switch, and every open page says so', async () => {
    await view.button('Switch the gremlin on').click();
    await view.eventually(view.page.locator('body'), /gremlin is on/i, 'the page');
    const other = await open({ colorScheme: 'dark' });
    await other.eventually(other.page.locator('body'), /gremlin is on/i, 'another page');
    assert.equal(await axeFindings(other.page), []);
    await view.button('Switch the gremlin off').click();
    await view.button('Switch the gremlin on').waitFor();
    await other.button('Switch the gremlin on').waitFor();
  });

  test('two tabs show the same orders in the same order, and one theme', async () => {
    const profile = await browser.profile();
    opened.push(profile);
    const [one, two] = [new PageView(await profile.open(system.url)), new PageView(await profile.open(system.url))];
    await Promise.all([one, two].map((each) => each.part('Live orders').waitFor()));
    const ids = await Promise.all(Array.from({ length: 10 }, (_, i) => order(`both-${i}`)));
    const hasAll = async (each: PageView) => {
      const shown = await each.orders();
      return ids.every((id) => shown.includes(id));
    };
    assert.ok(await until(async () => (await hasAll(one)) && (await hasAll(two)), SHOWN_MS, 50));
    assert.equal((await one.orders()).slice(0, 10), (await two.orders()).slice(0, 10));
    const scheme = () => two.page.evaluate<string>('getComputedStyle(document.documentElement).colorScheme');
    const before = await one.page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    for (let i = 0; i < 3; i++) {
      if ((await one.page.evaluate<string>('getComputedStyle(document.body).backgroundColor')) !== before) break;
      await one.button(/^Theme: /).click();
    }
    assert.is.not(await one.page.evaluate<string>('getComputedStyle(document.body).backgroundColor'), before);
    assert.ok((await scheme()).length > 0);
    await one.page.reload();
    assert.is.not(await one.page.evaluate<string>('getComputedStyle(document.body).backgroundColor'), before);
  });

  test('a keyboard is enough', async () => {
    const fresh = await open();
    await fresh.shows('Stock', /PROD-001/);
    await tabTo(fresh, /user/i);
    await fresh.page.keyboard.press('Control+A');
    await fresh.page.keyboard.type('keyboard');
    await fresh.page.keyboard.press('Tab');
    await fresh.page.keyboard.type('PROD-004'); // The products of bursts, which are sold out, stand before it.
    await fresh.page.keyboard.press('Tab');
    await fresh.page.keyboard.press('Enter');
    await fresh.eventually(fresh.part('Place an order'), /ORD-\w{26}/, 'the form');
    const [id = ''] = /ORD-\w{26}/.exec(await fresh.part('Place an order').innerText()) ?? [];
    await fresh.shows('Live orders', id);
    const row = fresh
      .part('Live orders')
      .getByRole('button', { name: new RegExp(id) })
      .first();
    await row.focus();
    await fresh.page.keyboard.press('Enter');
    await fresh.dialog(`History of ${id}`).waitFor();
    await fresh.page.keyboard.press('Escape');
    await fresh.dialog(`History of ${id}`).waitFor({ state: 'hidden' });
    assert.match(await fresh.focused(), id);
  });

  test('axe finds nothing in light, in dark and on a phone, which has nothing to scroll sideways', async () => {
    for (const look of [
      {},
      { colorScheme: 'dark' as const },
      { phone: true },
      { phone: true, colorScheme: 'dark' as const },
    ]) {
      const seen = await open(look);
      await seen.shows('Stock', /PROD-001/);
      assert.equal(await axeFindings(seen.page), [], JSON.stringify(look));
      assert.is(await seen.overflow(), 0, JSON.stringify(look));
      seen.isQuiet(system.url);
    }
  });

  test('a storm of orders does not freeze it, and what it keeps is bounded', async () => {
    const purchases = Array.from({ length: STORM_ORDERS }, (_, i) => ({
      user: `storm-${i}`,
      items: [{ product_id: 'PROD-002', quantity: 1 }],
    }));
    const burst = new Burst(system.url, purchases, STORM_CONNECTIONS);
    let slowest = 0;
    let isOver = false;
    const done = burst.done.then(() => {
      isOver = true;
    });
    while (!isOver) slowest = Math.max(slowest, await clicked(view));
    await done;
    assert.ok(slowest < patientMs(ANSWERED_MS), `a click was answered after ${slowest} ms`);
    const elements = await view.page.evaluate<number>("document.querySelectorAll('*').length");
    assert.ok(elements < MOST_ELEMENTS, `${elements} elements`);
    const last = await order('after the storm', 'PROD-004');
    await view.shows('Live orders', last, 60_000);
  });

  test('a hidden tab asks for nothing, until it is looked at again', async () => {
    await hide(view, true);
    await until(() => false, 1_000, 1_000);
    const before = view.tab.requests.length;
    assert.not.ok(await until(() => view.tab.requests.length > before, HIDDEN_MS));
    await hide(view, false);
    assert.ok(await until(() => view.tab.requests.length > before, SHOWN_MS));
  });

  test('it asked nobody else, and the browser has nothing to complain of', () =>
    view.isQuiet(system.url, OUT_OF_STOCK));

  test.run();
}

/** @returns the milliseconds until the page has answered a click on its theme, by the page's own clock. */
function clicked(view: PageView): Promise<number> {
  return view.page.evaluate<number>(`new Promise((resolve) => {
    const since = performance.now();
    setTimeout(() => {
      const button = [...document.querySelectorAll('button')].find((each) => /^Theme/.test(each.textContent ?? ''));
      const before = button.textContent;
      button.click();
      const look = () => button.textContent !== before ? resolve(performance.now() - since) : requestAnimationFrame(look);
      look();
    }, 50);
  })`);
}

/** A headless browser shows every tab: so the page is told that it is hidden, as a browser tells it. */
async function hide(view: PageView, isHidden: boolean): Promise<void> {
  await view.page.evaluate(`{
    Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
    Object.defineProperty(document, 'visibilityState', { value: '${isHidden ? 'hidden' : 'visible'}', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }`);
}

/** Presses Tab until the element with this label has the keyboard. */
async function tabTo(view: PageView, label: RegExp): Promise<void> {
  const field = view.part('Place an order').getByLabel(label);
  for (let i = 0; i < 60; i++) {
    if (await field.evaluate((element) => element === element.ownerDocument.activeElement)) return;
    await view.page.keyboard.press('Tab');
  }
  assert.unreachable(`no Tab leads to ${label}`);
}
