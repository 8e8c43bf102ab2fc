/** Reads a Content-Type by the WHATWG rules for MIME types, which Node implements and every browser follows. */
import { MIMEType } from 'node:util';

interface MediaType {
  /** Such as `application/json`: in lower case, without parameters. */
  readonly essence: string;
  /** Whether its charset is UTF-8 or absent. */
  readonly isUtf8: boolean;
}

/** Undefined if the text is not a media type. */
export function mediaTypeOf(contentType: string): MediaType | undefined {
  try {
    const { essence, params } = new MIMEType(contentType);
    return { essence, isUtf8: /^utf-?8$/i.test(params.get('charset') ?? 'utf-8') };
  } catch {
    return undefined;
  }
}
