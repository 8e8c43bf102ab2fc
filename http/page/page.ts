/**
 * The page at `/`, for browsers, and the files that it loads under `/page/`. It holds no data and is open to everyone: what it
 * shows, it asks the API for, with the key that its reader gives.
 *
 * Law: only what is in the table is served, which is made once; no path of a request reaches the file system.
 */
import { notFound } from '../api/failure.js';
import type { Answer } from '../api/reply.js';
import { packed } from '../wire/compression.js';
import { type PageFiles, readPageFiles } from './page-files.js';
import { shellOf } from './shell.js';

/** The address of a file holds its hash. */
const FOR_EVER = 'public, max-age=31536000, immutable';
/** Kept, and asked for again each time: a 304 if nothing has changed. */
const ASKED_AGAIN = 'no-cache';

export class Page {
  /** The answer at `/`. */
  readonly shell: Promise<Answer>;
  private readonly files: ReadonlyMap<string, Promise<Answer>>;

  /** @returns undefined if a module was not compiled */
  static open(): Page | undefined {
    const read = readPageFiles();
    return read && new Page(read);
  }

  private constructor(read: PageFiles) {
    const { html, policy } = shellOf(read);
    this.shell = packed({
      status: 200,
      body: html,
      contentType: 'text/html; charset=utf-8',
      headers: ['Content-Security-Policy', policy, 'Cross-Origin-Opener-Policy', 'same-origin', 'Vary', 'Accept'],
      cacheControl: ASKED_AGAIN,
    });
    this.files = new Map(
      [...read.files].map(([address, { text, contentType }]) => [
        address,
        packed({ status: 200, body: text, contentType, cacheControl: FOR_EVER }),
      ]),
    );
  }

  /** Whether the address is the page's, with or without a file there. */
  isFile = (path: string): boolean => path.startsWith('/page/');

  /** @throws Failure 404 */
  file = (path: string): Promise<Answer> => {
    const found = this.files.get(path);
    if (found !== undefined) return found;
    throw notFound(
      'There is no such file of the page. Another version of it may have been served by another node: load / again.',
    );
  };
}
