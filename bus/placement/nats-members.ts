/**
 * The nodes' heartbeats in a NATS bucket, one key a node, as JSON that people can read:
 * `nats kv get holdfast_nodes <node>`.
 */
import { journalId, nodeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Heartbeat, Members, Seen, Want } from '../../actors/ports/members.js';
import { type KeyValueBucket, keyValueBucket } from '../nats/key-value.js';
import type { Nats } from '../nats/nats.js';

const BUCKET = 'holdfast_nodes';
/** A node that stopped is in the list for this long. */
const MAX_AGE_MS = 60_000;
/** Room for limits.members nodes that want all they may. */
const BYTES = 1_048_576;

export function natsMembers(nats: Nats, replicas: number, now: () => number): Members {
  const description = "Holdfast: its nodes' heartbeats. It is made again when lost";
  const options = { replicas, maxAgeMs: MAX_AGE_MS, bytes: BYTES, description, deadlineMs: limits.placementCallMs };
  const bucket: KeyValueBucket = keyValueBucket(nats, BUCKET, options);
  return {
    put: (heartbeat) => bucket.put(heartbeat.node, JSON.stringify({ ...heartbeat, at: new Date(now()).toISOString() })),
    async all() {
      const entries = await bucket.entries(limits.members);
      return entries.flatMap(({ key, value, revision }): Seen[] => {
        const heartbeat = read(value);
        return heartbeat?.node === key ? [{ heartbeat, revision }] : [];
      });
    },
  };
}

/** Undefined for what no node of ours wrote. */
function read(text: string): Heartbeat | undefined {
  let raw: { readonly [field in keyof Heartbeat]?: unknown } | null;
  try {
    raw = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof raw !== 'object' || raw === null) return undefined;
  const { node, name, journal, digest, wants, leaving } = raw;
  if (typeof node !== 'string' || typeof name !== 'string' || typeof journal !== 'string') return undefined;
  if (typeof digest !== 'string' || typeof leaving !== 'boolean') return undefined;
  if (!Array.isArray(wants) || !wants.every(isWant)) return undefined;
  return { node: nodeId(node), name, journal: journalId(journal), digest, wants, leaving };
}

const isWant = (raw: { readonly partition?: unknown; readonly epoch?: unknown } | null): raw is Want =>
  Number.isSafeInteger(raw?.partition) && Number.isSafeInteger(raw?.epoch);
