// Checks EVENTS against the stored histories: exactly those events, none twice, in order per actor.
//
// An order's events are its rows in order_history, a product's its rows in inventory_operations. The id of
// an event is its actor and the version of that row. The check relies on the stream's own sequence alone. Each event tells
// the order's user, or the stock after it, as Postgres has them, and fits its schema.

import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { eventSchemas } from '../../../actors/events/event-schemas.js';
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
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly data: { readonly user_id?: string; readonly on_hand?: number; readonly held?: number };
}

interface StoredEvent {
  readonly id: string;
  readonly type: string;
  /** The order's user, or the product's stock: on hand and held. */
  readonly tells: string;
}

const STORED = `
  select 'order/' || h.order_id || '/' || h.version as id, 'order.' || h.type || '.v1' as type, o.user_id as tells
  from order_history h join orders o on o.order_id = h.order_id
  union all
  select 'product/' || product_id || '/' || version,
    'inventory.' || case operation_type
      when 'receive' then 'received' when 'hold' then 'held' when 'release' then 'released'
      when 'commit' then 'committed' else operation_type || 'ed' end || '.v1',
    on_hand_after || ' ' || held_after
  from inventory_operations`;

/** By id, what the stored histories have of each event. */
export async function storedEvents(client: PostgresClient): Promise<ReadonlyMap<string, StoredEvent>> {
  const rows = await client.query<StoredEvent>('read the histories', STORED, [], 30_000);
  return new Map(rows.map((row) => [row.id, row]));
}

export async function checkEvents(system: RealSystem, client: PostgresClient): Promise<void> {
  const stored = await storedEvents(client);
  const [settled] = await client.query<{ id: string }>('read the settlement', 'select id from settlement', []);
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
    compareEvents(stored, published, 'EVENTS');
    checkContents(stored, published, `/holdfast/${settled?.id}`);
  } finally {
    await nats.close();
  }
}

/** Exactly those events, none twice, in the order of each actor. */
export function compareEvents(
  stored: ReadonlyMap<string, StoredEvent>,
  published: readonly Pick<PublicEvent, 'id' | 'type'>[],
  where: string,
): void {
  const wrong: string[] = [];
  const seen = new Set<string>();
  const versions = new Map<string, number>();
  for (const { id, type } of published) {
    const row = stored.get(id);
    const actor = id.slice(0, id.lastIndexOf('/'));
    const version = Number(id.slice(actor.length + 1));
    const before = versions.get(actor) ?? 0;
    if (seen.has(id)) wrong.push(`${id} is there twice`);
    else if (version !== before + 1) wrong.push(`${id} comes after version ${before}`);
    if (row?.type !== type) wrong.push(`${id} is ${type}, stored is ${row?.type ?? 'nothing'}`);
    seen.add(id);
    versions.set(actor, Math.max(before, version));
  }
  for (const id of stored.keys()) if (!seen.has(id)) wrong.push(`${id} is stored and not on ${where}`);
  const summary = `${wrong.length} wrong of ${published.length} events for ${stored.size} stored ones`;
  assert.equal(wrong.slice(0, SHOWN), [], summary);
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

/** What an event says beside its name: by its schema, and by what is stored. */
function checkContents(
  stored: ReadonlyMap<string, StoredEvent>,
  published: readonly PublicEvent[],
  system: string,
): void {
  const fits: (event: unknown) => boolean = new Ajv2020({ strictTypes: false, validateFormats: false }).compile(
    eventSchemas(),
  );
  const wrong: string[] = [];
  for (const event of published) {
    const { id, source, type, data } = event;
    const tells = data.user_id ?? `${data.on_hand} ${data.held}`;
    const row = stored.get(id);
    if (!fits(event)) wrong.push(`${id} does not fit the schema of ${type}`);
    if (source !== system) wrong.push(`${id} is of ${source}`);
    if (row?.tells !== tells) wrong.push(`${id} tells ${tells}, stored is ${row?.tells ?? 'nothing'}`);
  }
  assert.equal(wrong.slice(0, SHOWN), [], `${wrong.length} wrong of ${published.length} events`);
}
