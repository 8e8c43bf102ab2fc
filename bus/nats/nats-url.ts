// Reads where the brokers are, and who may enter.

interface Access {
  readonly servers: string[];
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  readonly tls?: Record<string, never>;
}

/** nats.js accepts only hosts: the user and TLS of a URL go into its options. */
export function readUrl(list: string): Access {
  const urls = list.split(',').map((text) => new URL(text.includes('://') ? text.trim() : `nats://${text.trim()}`));
  const servers = urls.map((url) => `${url.hostname}:${url.port || 4222}`);
  const known = urls.find((url) => url.username !== '');
  const user = decodeURIComponent(known?.username ?? '');
  const pass = decodeURIComponent(known?.password ?? '');
  const access = user === '' ? {} : pass === '' ? { token: user } : { user, pass };
  return { servers, ...access, ...(urls.some((url) => url.protocol === 'tls:') && { tls: {} }) };
}
