/**
 * A message of EVENTS as Kafka records: CloudEvents in the binary mode of its Kafka binding. The headers have the attributes,
 * and the value has the data, with id, type and time repeated in front: many sinks drop headers.
 * The trace of a request that was traced is a header of its own too, where Kafka's instrumentations look for it.
 *
 * The data's text is taken as it is. A number that was read and written again would lose digits of an amount.
 */
import { decoded, eventTexts, stringIn } from '../events/event-texts.js';
import type { TopicRecord } from './topics.js';

interface EventTopics {
  readonly orders: string;
  readonly inventory: string;
}

/** @param text a JSON array of CloudEvents @throws when it is none */
export function eventRecords(text: string, topics: EventTopics): TopicRecord[] {
  return eventTexts(text).map(({ members: attributes }) => {
    const id = attributes.get('id') ?? '""';
    const type = attributes.get('type') ?? '""';
    const time = attributes.get('time') ?? '""';
    const fields = attributes.get('data')?.slice(1, -1).trim() ?? '';
    const headers: [string, string][] = [];
    for (const [name, value] of attributes) {
      if (name === 'datacontenttype') headers.push(['content-type', decoded(value)]);
      else if (name !== 'data') headers.push([`ce_${name}`, decoded(value)]);
    }
    const trace = attributes.get('traceparent');
    if (trace !== undefined) headers.push(['traceparent', decoded(trace)]);
    const at = Date.parse(decoded(time));
    return {
      topic: decoded(type).startsWith('order.') ? topics.orders : topics.inventory,
      key: decoded(attributes.get('subject') ?? '""'),
      value: `{"id":${id},"type":${type},"time":${time}${fields === '' ? '' : `,${fields}`}}`,
      headers,
      timestampMs: Number.isFinite(at) ? at : 0,
    };
  });
}

/** By order: the version that its last event here makes. @throws as above */
export function orderVersions(text: string): ReadonlyMap<string, number> {
  const versions = new Map<string, number>();
  for (const event of eventTexts(text)) {
    const [, order, version] = ORDER_EVENT.exec(stringIn(event, 'id')) ?? [];
    if (order !== undefined) versions.set(order, Math.max(Number(version), versions.get(order) ?? 0));
  }
  return versions;
}

// ---------------------------------------------------------------- machinery

/** An event's id. An order's id may have any character. */
const ORDER_EVENT = /^order\/(.+)\/(\d+)$/s;
