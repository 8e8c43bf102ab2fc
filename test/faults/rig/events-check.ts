// Checks EVENTS against the stored histories: exactly those events, none twice, in order per actor.
//
// An order's events are its rows in order_history, a product's its rows in inventory_operations. The id of
// an event is its actor and the version of that row. The check relies on the stream's own sequence alone.

import * as assert from 'uvu/assert';
import { connectNats, type Nats } from '../../../bus/nats/nats.js';
import { messagesAfter } from '../../../bus/nats/streams.js';
import type { PostgresClient } from '../../../storage/postgres/postgres.js';
import { until } from '../../deadlines.js';
import { brokerUrl } from './addresses.js';
import type { RealSystem } from './real-system.js';

/** An event is on the stream within a second of its commit; the rest is for a busy machine. */
const PUBLISHED_MS = 5_000;
const SHOWN = 5;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

interface PublicEvent {
  readonly specversion: string;
  readonly id: string;
  readonly type: string;
  readonly subject: string;
}

const STORED = `
  select 'order/' || order_id || '/' || version as id, 'order.' || type || '.v1' as type from order_history
  union all
  select 'product/' || product_id || '/' || version,
    'inventory.' || case operation_type
      when 'receive' then 'received' when 'hold' then 'held' when 'release' then 'released'
      when 'commit' then 'committed' else operation_type || 'ed' end || '.v1'
  from inventory_operations`;

export async function checkEvents(system: RealSystem, client: PostgresClient): Promise<void> {
  const rows = await client.query<{ id: string; type: string }>('read the histories', STORED, [], 30_000);
  const stored = new Map(rows.map(({ id, type }) => [id, type]));
  const nats = await connectNats(await brokerUrl(system), { name: 'fault test', log: quiet });
  try {
    const published: PublicEvent[] = [];
    let at = 0;
    await until(
      async () => {
        at = await readOn(nats, at, published);
        return published.length >= stored.size;
      },
      PUBLISHED_MS,
      50,
    );
    compare(stored, published);
  } finally {
    await nats.close();
  }
}

// ---------------------------------------------------------------- machinery

async function readOn(nats: Nats, after: number, into: PublicEvent[]): Promise<number> {
  let at = after;
  for (;;) {
    const page = await messagesAfter(nats, 'EVENTS', 'events.>', at);
    if (page.length === 0) return at;
    for (const { seq, text } of page) {
      into.push(...(JSON.parse(text) as PublicEvent[]));
      at = seq;
    }
  }
}

function compare(stored: ReadonlyMap<string, string>, published: readonly PublicEvent[]): void {
  const wrong: string[] = [];
  const seen = new Set<string>();
  const versions = new Map<string, number>();
  for (const { specversion, id, type } of published) {
    const actor = id.slice(0, id.lastIndexOf('/'));
    const version = Number(id.slice(actor.length + 1));
    const before = versions.get(actor) ?? 0;
    if (specversion !== '1.0') wrong.push(`${id} is no CloudEvent 1.0`);
    if (seen.has(id)) wrong.push(`${id} is there twice`);
    else if (version !== before + 1) wrong.push(`${id} comes after version ${before}`);
    if (stored.get(id) !== type) wrong.push(`${id} is ${type}, stored is ${stored.get(id) ?? 'nothing'}`);
    seen.add(id);
    versions.set(actor, Math.max(before, version));
  }
  for (const id of stored.keys()) if (!seen.has(id)) wrong.push(`${id} is stored and not on EVENTS`);
  const summary = `${wrong.length} wrong of ${published.length} events for ${stored.size} stored ones`;
  assert.equal(wrong.slice(0, SHOWN), [], summary);
}
