/**
 * Where a webhook may lead. Its URL comes from outside, and the request to it from inside our network: it must not reach what
 * only we can reach (server-side request forgery).
 *
 * Law:
 *  G1. A request goes to public addresses only, and to what WEBHOOK_ALLOW names. A name with one other address is refused whole.
 *  G2. The connection is made to the very addresses that were judged: this is the connection's own look-up. So a name that
 *      changes its answer gains nothing.
 *  G3. Only http and https. In production http only to what WEBHOOK_ALLOW names.
 */
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

export interface TargetGuard {
  /** Why a webhook cannot have this URL, as the rest of a sentence. A name's addresses are judged when it is looked up. */
  whyNot(url: string): string | undefined;
  /** The look-up of the connection (target-guard.G2). */
  readonly lookup: LookupFunction;
}

interface GuardOptions {
  /** Host names, addresses and networks such as 10.1.0.0/16 that are allowed beside the public ones. */
  readonly allow: readonly string[];
  readonly httpsOnly: boolean;
  /** Replaces the system's resolver, for tests. */
  readonly resolve?: typeof systemLookup;
}

type Resolved = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** IANA's registries of special-purpose addresses, and a cloud's host agent. */
const CLOSED_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4', '168.63.129.16/32'],
];
/** Of IPv6 only this is public: not loopback, unique-local, link-local, multicast, mapped or translated IPv4. */
const PUBLIC_V6 = '2000::/3';
/** Within it: Teredo and other protocols, documentation, 6to4. */
const CLOSED_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

export function targetGuard({ allow, httpsOnly, resolve = systemLookup }: GuardOptions): TargetGuard {
  const closed = networks([...CLOSED_V4, ...CLOSED_V6]);
  const publicV6 = networks([PUBLIC_V6]);
  const allowedAddresses = networks(allow.filter(isNetwork));
  const allowedHosts = new Set(allow.filter((entry) => !isNetwork(entry)).map((host) => bare(host)));

  const has = (list: BlockList, address: string) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  function isOpen(address: string): boolean {
    if (address.includes('%')) return false; // A zone: it is of a link.
    if (has(allowedAddresses, address)) return true;
    return !has(closed, address) && (isIP(address) === 4 || has(publicV6, address));
  }

  // Node looks names up on few threads. Those who ask for one name at once share a look-up, so that a name whose servers do not
  // answer leaves threads to the others.
  const asking = new Map<string, Resolved[]>();
  function resolved(name: string, options: LookupOptions, answer: Resolved): void {
    const key = `${name} ${options.family ?? 0} ${options.hints ?? 0}`;
    const others = asking.get(key);
    if (others !== undefined) return void others.push(answer);
    const all = [answer];
    asking.set(key, all);
    resolve(name, { ...options, all: true }, (error, addresses) => {
      asking.delete(key);
      for (const each of all) each(error, addresses);
    });
  }

  return {
    whyNot(text) {
      if (!URL.canParse(text)) return 'is not a URL';
      const url = new URL(text);
      if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https:// or http://';
      if (url.username !== '' || url.password !== '') return 'must not have a user or password';
      if (url.hash !== '') return 'must not have a fragment';
      const host = bare(url.hostname);
      const isAllowed = isIP(host) === 0 ? allowedHosts.has(host) : has(allowedAddresses, host);
      if (isAllowed) return undefined;
      if (isIP(host) === 0 ? /(^|\.)localhost$/.test(host) : !isOpen(host)) return `leads to ${host}, ${CLOSED}`;
      return httpsOnly && url.protocol === 'http:'
        ? `must be https here, or WEBHOOK_ALLOW must name ${host}`
        : undefined;
    },
    lookup(name, options, answer) {
      resolved(name, options, (error, addresses) => {
        if (error !== null) return answer(error, []);
        const host = bare(name);
        const bad = allowedHosts.has(host) ? undefined : addresses.find(({ address }) => !isOpen(address));
        const [first] = addresses;
        if (bad !== undefined) answer(new Error(`${host} has the address ${bad.address}, ${CLOSED}`), []);
        else if (first === undefined) answer(new Error(`${host} has no address`), []);
        else if (options.all) answer(null, addresses);
        else answer(null, first.address, first.family);
      });
    },
  };
}

// ---------------------------------------------------------------- machinery

const CLOSED = 'which is not public: if it is meant, name it in WEBHOOK_ALLOW';

const isNetwork = (entry: string): boolean => isIP(addressOf(entry)[0]) !== 0;

/** Without the brackets of an IPv6 address, and without the dot at the end of an absolute name. */
const bare = (host: string): string =>
  host
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();

function addressOf(entry: string): [address: string, bits: number | undefined] {
  const [address = '', bits] = entry.split('/');
  return [bare(address), bits === undefined ? undefined : Number(bits)];
}

function networks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address, bits] = addressOf(entry);
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(address, bits ?? (family === 'ipv6' ? 128 : 32), family);
  }
  return list;
}
