/** The feed of webhooks: an intake, which makes deliveries of EVENTS, and a sender. Two of it at once do no harm. */
import type { Feed } from '../../actors/ports/feeds.js';
import { underAny } from '../joined-signal.js';
import { type IntakeParts, WebhookIntake } from './webhook-intake.js';
import { type SenderParts, WebhookSender } from './webhook-sender.js';

interface WebhookFeedParts extends SenderParts, Omit<IntakeParts, 'onTaken'> {}

export function webhookFeed(parts: WebhookFeedParts): Feed {
  const sender = new WebhookSender(parts);
  const intake = new WebhookIntake({ ...parts, onTaken: () => sender.poke() });
  return {
    name: 'webhooks',
    async run(signal) {
      const failed = new AbortController();
      const orBoth = async (part: Promise<void>) => {
        await part.catch((error: unknown) => {
          failed.abort(error);
          throw error;
        });
      };
      await underAny([signal, failed.signal], (either) =>
        Promise.all([orBoth(intake.run(either)), orBoth(sender.run(either))]),
      );
    },
    get lag() {
      return intake.lag;
    },
  };
}
