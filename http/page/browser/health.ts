/** How the parts of the system are, and whether its promises were kept. What is wrong names the section of OPERATING.md that helps. */
import type { Dependency, Health, Overview } from './answers.js';
import { html } from './html.js';
import type { Polled } from './polled.js';
import { verdictText } from './verdict.js';
import { agoText } from './words.js';

const HELP: Readonly<Record<string, string>> = {
  postgres: 'HoldfastPostgresAway',
  nats: 'HoldfastBrokerAway',
  redis: 'HoldfastRedisAway',
  kafka: 'HoldfastKafkaAway',
  backup: 'HoldfastBackupFails',
};

const STATUS_WORDS = { ok: 'all is well', degraded: 'works, but a part is missing', down: 'takes no orders' } as const;

export function HealthPart({ health }: { readonly health: Polled<Health> }) {
  const { value, refusal } = health;
  return html`<section aria-labelledby="health">
    <h2 id="health">Health</h2>
    ${refusal !== undefined && html`<p role="status" class="bad">${refusal.message}</p>`}
    ${
      value !== undefined &&
      html`<dl>
      <dt>System</dt><dd><span class=${`status ${value.status}`}>${value.status}</span> ${STATUS_WORDS[value.status]}</dd>
      ${Object.entries(value.dependencies ?? {}).map(
        ([name, dependency]) =>
          html`<dt key=${name}>${name.replaceAll('_', ' ')}</dt><dd><span class=${`status ${dependency.status}`}>${dependency.status}</span> ${whyText(name, dependency)}</dd>`,
      )}
      ${value.journal !== undefined && html`<dt>Journal</dt><dd>${value.journal.kind}: ${value.journal.guarantee}</dd>`}
    </dl>`
    }
  </section>`;
}

/** Where it is from, or why it is not as it should be. */
function whyText(name: string, { status, why, source }: Dependency): string {
  if (status === 'off') return why ?? 'not configured: nothing needs it';
  if (status === 'up') return why ?? source?.replace(/ \(.*/, '') ?? '';
  return `${why ?? 'no reason is known'}. OPERATING.md, ${HELP[name] ?? 'What to do when'}`;
}

export function VerifyPart({ verdict }: { readonly verdict: Overview['verify'] | undefined }) {
  if (verdict === undefined)
    return html`<section aria-labelledby="verify"><h2 id="verify">Verify</h2><p class="quiet">…</p></section>`;
  const { state, sentence, next } = verdictText(verdict);
  const look = { unknown: 'degraded', clean: 'ok', violations: 'down' }[state];
  return html`<section aria-labelledby="verify">
    <h2 id="verify">Verify</h2>
    <p><span class=${`status ${look}`}>${state}</span> ${verdict !== null && agoText(verdict.at)}</p>
    <p>${sentence}</p>
    <p class="quiet">${next}</p>
  </section>`;
}
