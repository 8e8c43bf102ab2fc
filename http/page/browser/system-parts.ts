/** Where the partitions are, and how the events flow. What is wrong names the section of OPERATING.md that helps. */
import type { Overview, Placement } from './answers.js';
import { html } from './html.js';
import type { Polled } from './polled.js';
import { count } from './words.js';

export function PlacementPart({ placement }: { readonly placement: Polled<Placement> }) {
  const { value, refusal } = placement;
  const names = new Map<string, Placement['data'][number][]>();
  for (const { name, node, alive } of value?.nodes ?? []) if (alive !== false) names.set(name ?? node, []);
  for (const place of value?.data ?? []) {
    const name = place.name ?? 'nobody';
    names.set(name, [...(names.get(name) ?? []), place]);
  }
  const lost = (value?.nodes ?? []).filter(({ alive }) => alive === false).map(({ name, node }) => name ?? node);
  const waiting = (value?.data ?? []).filter(({ state }) => state !== 'running');
  return html`<section aria-labelledby="placement">
    <h2 id="placement">Placement</h2>
    ${refusal !== undefined && html`<p class="bad">${refusal.message}</p>`}
    <p class="quiet">Each partition of orders and products has one owner.</p>
    <dl>
      ${[...names].map(
        ([name, places]) => html`<dt key=${name} class=${name === 'nobody' ? 'bad' : ''}>${name}</dt>
        <dd>${count(places.length)} of ${count(value?.data.length ?? 0)} partitions${places.length > 0 && `, epoch ${Math.max(...places.map(({ epoch }) => epoch))}`}
          <span class="cells" aria-hidden="true">${places.map(({ partition, state }) => html`<i key=${partition} class=${state} title=${`${partition}: ${state}`}>${partition}</i>`)}</span></dd>`,
      )}
    </dl>
    ${lost.length > 0 && html`<p class="bad">Gone: ${lost.join(', ')}. OPERATING.md, HoldfastNodeDown</p>`}
    ${waiting.length > 0 && html`<p class="bad">${count(waiting.length)} partitions wait for an owner. OPERATING.md, HoldfastPartitionWithoutOwner</p>`}
  </section>`;
}

interface EventsProps {
  readonly overview: Overview | undefined;
  readonly told: number;
  readonly away: string | undefined;
}

export function EventsPart({ overview, told, away }: EventsProps) {
  const recent = overview?.samples.slice(-5) ?? [];
  const known = recent.flatMap(({ events }) => events ?? []);
  const rate =
    known.length === 0
      ? undefined
      : (known.reduce((sum, each) => sum + each, 0) * 1_000) / known.length / (overview?.every_ms ?? 1);
  return html`<section aria-labelledby="events">
    <h2 id="events">Events</h2>
    <dl>
      <dt>This page</dt><dd>${away === undefined ? `has been told ${count(told)} events of orders` : html`<span class="bad">hears nothing: ${away}</span>`}</dd>
      ${
        overview !== undefined &&
        html`<dt>EVENTS</dt><dd>${
          overview.events === null
            ? 'There is none without NATS.'
            : `message ${overview.events.last_sequence === null ? 'unknown' : count(overview.events.last_sequence)}, ${rate === undefined ? 'unknown' : count(Math.round(rate * 10) / 10)} a second`
        }</dd>`
      }
      ${overview?.events?.feeds.map(({ name, behind, state }) => html`<dt key=${name}>${name}</dt><dd><span class=${state === 'failing' ? 'bad' : ''}>${state}</span>, ${count(behind)} behind</dd>`)}
    </dl>
  </section>`;
}
