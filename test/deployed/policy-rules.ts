/** NetworkPolicies as rules of nft in a pod's own network namespace: what a network that enforces them does, without a cluster. */

import type { Manifest, PolicyPeer, PolicyRule } from './manifests.js';
import { fits, type Peer, selects } from './network-policies.js';

/** Who is there, and where. Without labels it is outside of the cluster. */
export interface Placed extends Partial<Peer> {
  readonly address: string;
}

/** @returns a file for nft, or undefined where no policy selects the pod. What is refused is so at once, for tests to see. */
export function rulesOf(policies: readonly Manifest[], self: Peer, all: readonly Placed[]): string {
  const chains = (['Ingress', 'Egress'] as const).flatMap((way) => {
    const selecting = policies.filter((policy) => selects(policy, way, self));
    if (selecting.length === 0) return [];
    const [hook, face, side] = way === 'Ingress' ? ['input', 'iif', 'saddr'] : ['output', 'oif', 'daddr'];
    const allowed = selecting.flatMap(({ spec = {} }) =>
      ((way === 'Ingress' ? spec.ingress : spec.egress) ?? []).flatMap((rule) =>
        peersOf(rule, side, self, all).flatMap((peer) => portsOf(rule).map((port) => `${peer} ${port} accept`)),
      ),
    );
    const first = [`type filter hook ${hook} priority filter; policy drop`, 'ct state established,related accept'];
    return [
      `chain ${hook} {`,
      ...[...first, `${face} lo accept`, ...allowed, 'meta l4proto tcp reject with tcp reset'],
      '}',
    ];
  });
  return ['table inet policies {', ...chains, '}', ''].join('\n');
}

// ---------------------------------------------------------------- machinery

function peersOf(rule: PolicyRule, side: string, self: Peer, all: readonly Placed[]): string[] {
  const peers = rule.from ?? rule.to;
  if (peers === undefined) return [''];
  return peers.flatMap((peer) => {
    if (peer.ipBlock !== undefined) return [blockOf(peer.ipBlock, side)];
    const there = all.filter((each) => isPeer(peer, each, self)).map(({ address }) => address);
    return there.length === 0 ? [] : [`ip ${side} { ${there.join(', ')} }`];
  });
}

function isPeer({ podSelector, namespaceSelector }: PolicyPeer, { namespace, labels }: Placed, self: Peer): boolean {
  if (namespace === undefined || labels === undefined) return false;
  const inSpace =
    namespaceSelector === undefined
      ? namespace === self.namespace
      : fits(namespaceSelector, { 'kubernetes.io/metadata.name': namespace });
  return inSpace && (podSelector === undefined || fits(podSelector, labels));
}

function blockOf({ cidr, except = [] }: NonNullable<PolicyPeer['ipBlock']>, side: string): string {
  const family = cidr.includes(':') ? 'ip6' : 'ip';
  const but = except.length === 0 ? '' : ` ${family} ${side} != { ${except.join(', ')} }`;
  // nft has no word for a block of all.
  const within = /\/0$/.test(cidr) ? `meta nfproto ${family === 'ip' ? 'ipv4' : 'ipv6'}` : `${family} ${side} ${cidr}`;
  return `${within}${but}`;
}

const portsOf = ({ ports }: PolicyRule): string[] =>
  ports?.map(({ port, protocol = 'TCP' }) => `${protocol.toLowerCase()} dport ${port}`) ?? [''];
