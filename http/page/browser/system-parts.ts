/** How the system is: its parts, its nodes, EVENTS, and the gremlin. What is wrong names the section of OPERATING.md that helps. */
import { useState } from 'preact/hooks';
import type { Gremlin, Health, Overview, Placement } from './answers.js';
import type { Api } from './api.js';
import { html } from './html.js';
import type { Polled } from './polled.js';
import { agoText, clockTime, count } from './words.js';

const HELP: Readonly<Record<string, string>> = {
  postgres: 'HoldfastPostgresAway',
  nats: 'HoldfastBrokerAway',
  redis: 'HoldfastRedisAway',
  kafka: 'HoldfastKafkaAway',
  backup: 'HoldfastBackupFails',
};

const STATUS_WORDS = { ok: 'all is well', degraded: 'works, but a part is missing', down: 'takes no orders' } as const;

export function HealthPart({
  health,
  overview,
}: {
  readonly health: Polled<Health>;
  readonly overview: Overview | undefined;
}) {
  const { value, refusal } = health;
  const verdict = overview?.verify;
  return html`<section aria-labelledby="health">
    <h2 id="health">Health</h2>
    ${refusal !== undefined && html`<p role="status" class="bad">${refusal.message}</p>`}
    ${
      value !== undefined &&
      html`<dl>
      <dt>System</dt><dd><span class=${`status ${value.status}`}>${value.status}</span> ${STATUS_WORDS[value.status]}</dd>
      ${Object.entries(value.dependencies ?? {})
        .filter(([, { status }]) => status !== 'off')
        .map(
          ([name, { status, why }]) =>
            html`<dt>${name}</dt><dd><span class=${`status ${status}`}>${status}</span> ${
              status !== 'up' && html`${why} OPERATING.md, ${HELP[name] ?? 'What to do when'}`
            }</dd>`,
        )}
      ${offIn(value) !== '' && html`<dt>Off</dt><dd>${offIn(value)}</dd>`}
      ${value.journal !== undefined && html`<dt>Journal</dt><dd>${value.journal.kind}: ${value.journal.guarantee}</dd>`}
      ${
        overview !== undefined &&
        html`<dt>Verify</dt><dd>${
          verdict === null || verdict === undefined
            ? 'no verdict yet: run holdfast verify'
            : html`<span class=${`status ${verdict.clean ? 'ok' : 'down'}`}>${verdict.clean ? 'clean' : `${count(verdict.violations)} violations`}</span> ${agoText(verdict.at)}${verdict.clean ? '' : '. OPERATING.md, HoldfastVerifyViolation'}`
        }</dd>`
      }
      ${overview !== undefined && html`<dt>This node</dt><dd>${overview.node.name}, version ${overview.node.version}, since ${agoText(overview.node.started_at)}</dd>`}
    </dl>`
    }
  </section>`;
}

const offIn = ({ dependencies = {} }: Health): string =>
  Object.keys(dependencies)
    .filter((name) => dependencies[name]?.status === 'off')
    .join(', ');

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

const TARGETS = ['inventory', 'order', 'payment', 'storage', 'bus'];
/** Then it goes off by itself. */
const TIMES = [
  [60, '1 minute'],
  [300, '5 minutes'],
  [900, '15 minutes'],
] as const;
const KINDS = ['latency', 'error', 'drop', 'duplicate', 'reorder'];

interface GremlinProps {
  readonly api: Api;
  readonly gremlin: Gremlin | undefined;
  readonly switched: (gremlin: Gremlin) => void;
}

export function GremlinPart({ api, gremlin, switched }: GremlinProps) {
  const [problem, setProblem] = useState<string>();
  const flip = (path: string, body?: object) =>
    api.ask<{ readonly data: Gremlin }>('POST', path, body).then(
      ({ data }) => {
        setProblem(undefined);
        switched(data);
      },
      (error: Error) => setProblem(error.message),
    );
  const on = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    void flip('/internal/gremlin/enable', {
      target: form.get('target'),
      kind: form.get('kind'),
      for_s: Number(form.get('for_s')),
    });
  };
  const options = (words: readonly string[]) => words.map((word) => html`<option key=${word}>${word}</option>`);
  return html`<section aria-labelledby="gremlin">
    <h2 id="gremlin">Gremlin</h2>
    <p class="quiet">Trouble on purpose: every third time something is late, fails, or is lost. No order is.</p>
    <form onSubmit=${on}>
      <label>Target <select name="target">${options(TARGETS)}</select></label>
      <label>Kind <select name="kind">${options(KINDS)}</select></label>
      <label>For <select name="for_s">${TIMES.map(([seconds, words]) => html`<option key=${seconds} value=${seconds}>${words}</option>`)}</select></label>
      <div class="actions">
      ${
        gremlin?.enabled
          ? html`<button key="off" type="button" onClick=${() => flip('/internal/gremlin/disable')}>Switch the gremlin off</button>`
          : html`<button key="on" type="submit">Switch the gremlin on</button>`
      }
      </div>
    </form>
    <p aria-live="polite">${problem ?? (gremlin?.enabled ? hitsText(gremlin) : 'It is off.')}</p>
  </section>`;
}

function hitsText({ hits, until }: Gremlin): string {
  const all = Object.entries(hits).flatMap(([target, kinds]) =>
    Object.entries(kinds).map(([kind, times]) => `${count(times)} × ${target} ${kind}`),
  );
  return `On until ${until === undefined ? '…' : clockTime(until)}. This node was hit: ${all.join(', ') || 'not yet'}.`;
}
