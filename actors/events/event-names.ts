/** The names of public events and of their schemas. */
import type { Address } from '../ids.js';

/** The `type` attribute. Its version changes when data would change otherwise than by addition. */
export const eventType = (kind: Address['kind'], event: string): string =>
  `${kind === 'order' ? 'order' : 'inventory'}.${event}.v1`;

/** The `dataschema` attribute, and the `$id` of the schema in /schemas/events.json. */
export const schemaId = (type: string): string => `urn:holdfast:${type}`;
