/**
 * Serves the OpenAPI document, the schemas of public events, and the reference page. Each is made at its first request and compressed once; the page is
 * made once for each origin.
 */

import type { IncomingMessage } from 'node:http';
import { eventSchemas } from '../../actors/events/event-schemas.js';
import { Recent } from '../../actors/recent-map.js';
import type { ApiRequest } from '../api/api-request.js';
import type { Operation } from '../api/operation.js';
import type { Answer } from '../api/reply.js';
import { packed } from '../wire/compression.js';
import { docsPage, PAGE_POLICY } from './docs-page.js';
import { openApiDocument } from './openapi.js';

/** A placeholder in the page for the origin of its reader. */
const ANY_ORIGIN = 'http://origin.invalid';
/** A node has few names. An invented name costs zlib's threads some milliseconds, and no memory. */
const ORIGINS = 8;
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i;

/** They change with the version of Holdfast alone, and by addition. */
const AN_HOUR = 'public, max-age=3600';

export class Reference {
  private made: { readonly document: Promise<Answer>; readonly page: string } | undefined;
  private schemas: Promise<Answer> | undefined;
  private readonly pages = new Recent<string, Promise<Answer>>(2 * ORIGINS);

  constructor(
    private readonly operations: readonly Operation[],
    private readonly version: string,
  ) {}

  document = (): Promise<Answer> => this.all().document;

  eventSchemas = (): Promise<Answer> => {
    this.schemas ??= packed({ status: 200, body: JSON.stringify(eventSchemas()), cacheControl: AN_HOUR });
    return this.schemas;
  };

  /** Its example requests go to the origin from which the page was read. */
  page = ({ req }: Pick<ApiRequest, 'req'>): Promise<Answer> => {
    const origin = originOf(req);
    const known = this.pages.get(origin);
    if (known !== undefined) return known;
    const page = packed({
      status: 200,
      body: this.all().page.replaceAll(ANY_ORIGIN, origin),
      contentType: 'text/html; charset=utf-8',
      headers: ['Content-Security-Policy', PAGE_POLICY],
    });
    this.pages.set(origin, page);
    return page;
  };

  private all(): NonNullable<Reference['made']> {
    if (this.made === undefined) {
      const document = openApiDocument(this.operations, this.version);
      this.made = {
        document: packed({ status: 200, body: JSON.stringify(document) }),
        page: docsPage(this.operations, document, ANY_ORIGIN),
      };
    }
    return this.made;
  }
}

/** The origin as the client wrote it. A proxy that terminates TLS sets X-Forwarded-Proto. */
function originOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const host = headers.host ?? '';
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
  return `${scheme}://${HOST.test(host) ? host : 'localhost'}`;
}
