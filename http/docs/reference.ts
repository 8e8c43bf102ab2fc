/** The document and the page made of it: each is made once, when it is first asked for. */
import { createHash } from 'node:crypto';
import { operations } from '../operations/all.js';
import type { Answer } from '../reply.js';
import { docsPage, PAGE_POLICY } from './docs-page.js';
import { type Document, openApiDocument } from './openapi.js';

export class Reference {
  readonly #version: string;
  #answers: { readonly document: Answer; readonly page: Answer } | undefined;

  constructor(version: string) {
    this.#version = version;
  }

  document = async (): Promise<Answer> => this.#made().document;

  page = async (): Promise<Answer> => this.#made().page;

  #made(): { readonly document: Answer; readonly page: Answer } {
    this.#answers ??= answersOf(openApiDocument(operations, this.#version));
    return this.#answers;
  }
}

function answersOf(document: Document): { readonly document: Answer; readonly page: Answer } {
  const [text, page] = [JSON.stringify(document), docsPage(document)];
  return {
    document: { status: 200, body: text, etag: etagOf(text) },
    page: {
      status: 200,
      body: page,
      etag: etagOf(page),
      contentType: 'text/html; charset=utf-8',
      headers: ['Content-Security-Policy', PAGE_POLICY],
    },
  };
}

/** A weak one: it names what is said, compressed or not. */
const etagOf = (text: string): string => `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
