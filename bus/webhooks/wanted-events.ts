/** Which webhooks get which events. */
import { limits } from '../../actors/limits.js';
import type { NewDelivery, Subscription } from '../../actors/ports/webhooks.js';
import type { EventMessage } from '../events/event-reader.js';
import { eventTexts, stringIn } from '../events/event-texts.js';
import { bodyOf } from './signed-message.js';

/** The deliveries of a page, in parts that one statement can store. */
export function* deliveriesIn(
  page: readonly EventMessage[],
  wanted: readonly Subscription[],
  clocksDifferMs: number,
): Generator<NewDelivery[]> {
  if (wanted.length === 0) return;
  let part: NewDelivery[] = [];
  let bytes = 0;
  for (const { text, storedMs } of page) {
    const present = wanted.filter(({ since }) => storedMs >= since - clocksDifferMs);
    if (present.length === 0) continue;
    for (const told of eventTexts(text)) {
      const [event, type] = [stringIn(told, 'id'), stringIn(told, 'type')];
      const body = bodyOf(told.text, stringIn(told, 'time'));
      const actor = event.slice(0, event.lastIndexOf('/')); // Without the version.
      for (const { id: webhook, types } of present) {
        if (!types.some((wish) => matches(wish, type))) continue;
        if (part.length >= limits.webhookTake || bytes + body.length > limits.webhookTakeBytes) {
          if (part.length > 0) yield part;
          part = [];
          bytes = 0;
        }
        part.push({ webhook, event, type, actor, body });
        bytes += body.length;
      }
    }
  }
  yield part;
}

/** @param wish a type, or the beginning of types with a `*` at its end */
export const matches = (wish: string, type: string): boolean =>
  wish.endsWith('*') ? type.startsWith(wish.slice(0, -1)) : wish === type;
