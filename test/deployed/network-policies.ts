/** Which connections NetworkPolicies allow, as Kubernetes defines it: a pod that any policy selects is closed but for its rules. */

import type { Manifest, PolicyPeer, PolicyRule, Selector } from './manifests.js';

export interface Peer {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A peer, or an address outside of the cluster. */
export type End = Peer | { readonly address: string };

/** Whether `from` may open a connection to `port` of `to`: it may go out, and it may come in. */
export function mayReach(policies: readonly Manifest[], from: End, to: End, port: number, protocol = 'TCP'): boolean {
  const may = (way: 'Ingress' | 'Egress', self: End, other: End): boolean => {
    if ('address' in self) return true;
    const selecting = policies.filter((policy) => selects(policy, way, self));
    if (selecting.length === 0) return true;
    return selecting.some(({ spec = {}, metadata }) =>
      ((way === 'Ingress' ? spec.ingress : spec.egress) ?? []).some(
        (rule) =>
          hasPort(rule, port, protocol) &&
          (rule.from ?? rule.to ?? [{}]).some((each) => isOther(each, other, metadata.namespace ?? '')),
      ),
    );
  };
  return may('Egress', from, to) && may('Ingress', to, from);
}

/** Whether the policy closes this way of the pod, but for its rules. */
export const selects = ({ metadata, spec = {} }: Manifest, way: 'Ingress' | 'Egress', pod: Peer): boolean =>
  metadata.namespace === pod.namespace &&
  spec.policyTypes?.includes(way) === true &&
  fits(spec.podSelector ?? {}, pod.labels);

export const fits = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Peer['labels']): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, operator, values }) => {
    if (operator !== 'In') throw new Error(`the operator ${operator} is not known here`);
    return values.includes(labels[key] ?? '');
  });

// ---------------------------------------------------------------- machinery

const hasPort = ({ ports }: PolicyRule, port: number, protocol: string): boolean =>
  ports === undefined || ports.some((each) => each.port === port && (each.protocol ?? 'TCP') === protocol);

function isOther({ podSelector, namespaceSelector, ipBlock }: PolicyPeer, end: End, own: string): boolean {
  if (ipBlock !== undefined) {
    if (!('address' in end) || end.address.includes(':') !== ipBlock.cidr.includes(':')) return false;
    return inBlock(end.address, ipBlock.cidr) && !(ipBlock.except ?? []).some((block) => inBlock(end.address, block));
  }
  if ('address' in end) return false;
  const inSpace =
    namespaceSelector === undefined
      ? end.namespace === own
      : fits(namespaceSelector, { 'kubernetes.io/metadata.name': end.namespace });
  return inSpace && (podSelector === undefined || fits(podSelector, end.labels));
}

/** IPv4, and of IPv6 only the block of all. */
function inBlock(address: string, block: string): boolean {
  const [base = '', bits = ''] = block.split('/');
  if (base.includes(':')) return base === '::' && bits === '0';
  const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  return Math.floor(number(address) / size) === Math.floor(number(base) / size);
}
