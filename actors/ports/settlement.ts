/**
 * A system's fixed settings. The first start settles them; the broker keeps a copy; every later start compares them.
 */
import { RECORD_VERSION, SYSTEM_LOG, UnreadableRecord } from '../node/record.js';

export interface Settlement {
  readonly id: string;
  readonly partitions: number;
  readonly journal: 'jetstream' | 'postgres';
  readonly seed: 'demo' | 'none';
}

export const encodeSettlement = (settlement: Settlement): string =>
  JSON.stringify({ v: RECORD_VERSION, kind: 'settlement', ...settlement });

/** @throws UnreadableRecord */
export function decodeSettlement(text: string): Settlement {
  const raw: { v?: unknown; kind?: unknown } = JSON.parse(text);
  if (raw.v === RECORD_VERSION && raw.kind === 'settlement') return raw as unknown as Settlement;
  throw new UnreadableRecord(`the log ${SYSTEM_LOG} holds no settlement of version ${RECORD_VERSION}`);
}
