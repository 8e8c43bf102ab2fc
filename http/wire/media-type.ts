/** A Content-Type, read as the WHATWG's rules for MIME types have it, which every browser follows: by Node. */
import { MIMEType } from 'node:util';

interface MediaType {
  /** `application/json`, in small letters, without parameters. */
  readonly essence: string;
  /** Whether its charset is UTF-8, or not named. */
  readonly isUtf8: boolean;
}

/** Undefined where it is no media type. */
export function mediaTypeOf(contentType: string): MediaType | undefined {
  try {
    const { essence, params } = new MIMEType(contentType);
    return { essence, isUtf8: /^utf-?8$/i.test(params.get('charset') ?? 'utf-8') };
  } catch {
    return undefined;
  }
}
