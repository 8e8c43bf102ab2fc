// A real Chromium for a test, driven by playwright-core, which only this file knows: the one of CHROMIUM_PATH, or on PATH,
// else Debian's package, unpacked once into the checkout's caches.
// Law: a missing Chromium is reported (`skipped`). Each tab notes every request, every complaint of the browser, and every
// violation of the page's Content-Security-Policy. No profile survives its test.

import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page, type Request } from 'playwright-core';
import { lastLine, run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import type { Skipped } from './real-servers.js';
import { unpackedOnce } from './unpacked-packages.js';

export type { Locator, Page } from 'playwright-core';

interface Binary {
  /** An absolute path. */
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

interface Missing {
  readonly missing: string;
}

/** One window with its own storage; its tabs share it. */
interface Profile {
  open(url: string): Promise<Tab>;
  close(): Promise<void>;
}

export interface Tab {
  readonly page: Page;
  /** Everything that it asked for, since it was opened. */
  readonly requests: readonly Request[];
  /** Errors on its console, uncaught errors, and violations of its policy. */
  readonly complaints: readonly string[];
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const SHORT_MS = 20_000;
const START_MS = 30_000;
/** It asks nobody but the page's server. */
const ALONE = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-gpu'];
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 900 };

export class RealChromium {
  private constructor(private readonly browser: Browser) {}

  static async start(): Promise<RealChromium | Skipped> {
    const binary = await chromiumBinary();
    if ('missing' in binary) return { skipped: `no Chromium: ${binary.missing}` };
    const browser = await chromium.launch({
      executablePath: binary.command,
      env: binary.env as Record<string, string>,
      chromiumSandbox: false, // Its sandbox refuses root; it opens pages of our own alone.
      args: ALONE,
      timeout: patientMs(START_MS),
    });
    return new RealChromium(browser);
  }

  async profile(
    look: Pick<BrowserContextOptions, 'colorScheme'> & { readonly phone?: boolean } = {},
  ): Promise<Profile> {
    const { phone = false, colorScheme = 'light' } = look;
    const context = await this.browser.newContext({
      viewport: phone ? PHONE : DESKTOP,
      colorScheme,
      ...(phone && { isMobile: true, hasTouch: true, deviceScaleFactor: 2 }),
    });
    context.setDefaultTimeout(patientMs(SHORT_MS));
    await context.addInitScript(NOTE_VIOLATIONS);
    const open = async (url: string): Promise<Tab> => {
      const tab = watched(await context.newPage());
      await tab.page.goto(url, { waitUntil: 'domcontentloaded' });
      return tab;
    };
    return { open, close: () => context.close() };
  }

  async stop(): Promise<void> {
    await this.browser.close();
  }
}

// ---------------------------------------------------------------- machinery

const VIOLATION = 'violates the policy: ';
/** Chromium tells most violations as errors on the console; this tells all of them. */
const NOTE_VIOLATIONS = `document.addEventListener('securitypolicyviolation', (event) =>
  console.error('${VIOLATION}' + event.violatedDirective + ' ' + event.blockedURI))`;

function watched(page: Page): Tab {
  const requests: Request[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.stack ?? error.message}`));
  page.on('crash', () => complaints.push('the tab crashed'));
  return { page, requests, complaints };
}

const runs = async ({ command, env }: Binary): Promise<boolean> =>
  (await run(command, ['--version'], { deadlineMs: patientMs(SHORT_MS), env })).code === 0;

async function chromiumBinary(): Promise<Binary | Missing> {
  const { CHROMIUM_PATH, PATH = '' } = process.env;
  const folders = PATH.split(delimiter);
  const onPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).filter((path) =>
    existsSync(path),
  );
  for (const command of CHROMIUM_PATH ? [CHROMIUM_PATH] : onPath) {
    if (await runs({ command, env: process.env })) return { command, env: process.env };
  }
  if (CHROMIUM_PATH) return { missing: `CHROMIUM_PATH is ${CHROMIUM_PATH}, which does not run here` };
  const fetched = await unpackedOnce('chromium-debian', ['chromium'], true);
  return 'missing' in fetched ? fetched : unpackedBinary(fetched.folder);
}

/** What is unpacked elsewhere finds its libraries and fonts only if it is told where they are. */
async function unpackedBinary(folder: string): Promise<Binary | Missing> {
  const libraries = await foldersOfLibraries(folder);
  const fonts = join(folder, 'fonts.conf');
  const places = ['/usr/share/fonts', join(folder, 'usr', 'share', 'fonts')].map((dir) => `<dir>${dir}</dir>`);
  await writeFile(
    fonts,
    `<fontconfig>${places.join('')}<cachedir>${join(folder, 'font-cache')}</cachedir></fontconfig>`,
  );
  const binary = {
    command: join(folder, 'usr', 'lib', 'chromium', 'chromium'),
    env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':'), FONTCONFIG_FILE: fonts },
  };
  const { code, output } = await run(binary.command, ['--version'], {
    deadlineMs: patientMs(SHORT_MS),
    env: binary.env,
  });
  return code === 0 ? binary : { missing: `the one in ${folder} does not run here: ${lastLine(output)}` };
}

/** Some libraries lie a folder deeper than where the loader looks, as those of a sound server do. */
async function foldersOfLibraries(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const libraries = entries.filter(({ name }) => /\.so(?:\.|$)/.test(name));
  return [...new Set(libraries.map((entry) => entry.parentPath ?? entry.path))];
}
