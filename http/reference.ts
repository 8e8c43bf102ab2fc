/** The document and the page made of it: each is made once, when it is first asked for. */
import { openApiDocument } from './openapi.js';
import { operations } from './operations/all.js';
import type { Answer } from './reply.js';

export class Reference {
  readonly #version: string;
  #document: string | undefined;

  constructor(version: string) {
    this.#version = version;
  }

  document = async (): Promise<Answer> => {
    this.#document ??= JSON.stringify(openApiDocument(operations, this.#version));
    return { status: 200, body: this.#document };
  };

  page = async (): Promise<Answer> => ({
    status: 200,
    body: '<!doctype html>',
    contentType: 'text/html; charset=utf-8',
  });
}
