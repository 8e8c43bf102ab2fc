/** The document and the page made of it: each is made once, and compressed once, when it is first asked for. */

import { operations } from '../api/operations/all.js';
import type { Answer } from '../api/reply.js';
import { packed } from '../wire/compression.js';
import { docsPage, PAGE_POLICY } from './docs-page.js';
import { openApiDocument } from './openapi.js';

interface Answers {
  readonly document: Answer;
  readonly page: Answer;
}

export class Reference {
  private readonly version: string;
  private answers: Promise<Answers> | undefined;

  constructor(version: string) {
    this.version = version;
  }

  document = async (): Promise<Answer> => (await this.made()).document;

  page = async (): Promise<Answer> => (await this.made()).page;

  private made(): Promise<Answers> {
    this.answers ??= answersOf(this.version);
    return this.answers;
  }
}

async function answersOf(version: string): Promise<Answers> {
  const document = openApiDocument(operations, version);
  return {
    document: await packed({ status: 200, body: JSON.stringify(document) }),
    page: await packed({
      status: 200,
      body: docsPage(document),
      contentType: 'text/html; charset=utf-8',
      headers: ['Content-Security-Policy', PAGE_POLICY],
    }),
  };
}
