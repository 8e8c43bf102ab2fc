// The page at `/` as a person has it: by headings, names of buttons, and texts. No selector knows how it is made.

import * as assert from 'uvu/assert';
import { until } from '../../deadlines.js';
import type { Locator, Page, Tab } from '../../servers/real-chromium.js';

const SHOWN_MS = 20_000;

export class PageView {
  readonly page: Page;

  constructor(readonly tab: Tab) {
    this.page = tab.page;
  }

  /** The part of the page under this heading. */
  part(heading: string): Locator {
    const { page } = this;
    return page.locator('section').filter({ has: page.getByRole('heading', { name: heading, exact: true }) });
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', typeof name === 'string' ? { name, exact: true } : { name });
  }

  dialog(name: string | RegExp): Locator {
    return this.page.getByRole('dialog', { name });
  }

  /** Waits until a part has this text. @throws Error with what the part has instead */
  async shows(heading: string, text: string | RegExp, withinMs = SHOWN_MS): Promise<void> {
    await this.eventually(this.part(heading), text, heading, withinMs);
  }

  /** Waits until an element has this text. */
  async eventually(element: Locator, text: string | RegExp, name: string, withinMs = SHOWN_MS): Promise<void> {
    let seen = '';
    const isShown = async () => {
      seen = (
        await element
          .first()
          .innerText({ timeout: 1_000 })
          .catch(() => '')
      ).replaceAll(/\s+/g, ' ');
      return typeof text === 'string' ? seen.includes(text) : text.test(seen);
    };
    assert.ok(await until(isShown, withinMs, 50), `${name} does not show ${text}, but: ${seen.slice(0, 600)}`);
  }

  /** The ids of the orders under "Live orders", the latest first. */
  async orders(): Promise<readonly string[]> {
    const text = await this.part('Live orders').innerText();
    return [...text.matchAll(/\bORD-[0-9A-Z]{26}\b/g)].map(([id]) => id);
  }

  /** How far the page is wider than its window, in pixels. */
  async overflow(): Promise<number> {
    return this.page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  }

  /** What is under the keyboard: its name, or its text. */
  async focused(): Promise<string> {
    return this.page.evaluate<string>(
      "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim() ?? ''",
    );
  }

  /** It asked for nothing elsewhere, and the browser has no complaint beyond those that the test expects. */
  isQuiet(origin: string, expected: RegExp = /^$/): void {
    const elsewhere = this.tab.requests.map((request) => request.url()).filter((url) => !/^data:/.test(url));
    assert.equal(
      elsewhere.filter((url) => new URL(url).origin !== origin),
      [],
    );
    assert.equal(
      this.tab.complaints.filter((complaint) => !expected.test(complaint)),
      [],
    );
  }
}
