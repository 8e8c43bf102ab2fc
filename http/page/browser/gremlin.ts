/** The switch of the gremlin, and what it did to this node. */
import { useState } from 'preact/hooks';
import type { Gremlin } from './answers.js';
import type { Api } from './api.js';
import { html } from './html.js';
import { clockTime, count } from './words.js';

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
  /** Whether the environment lets it be switched on. */
  readonly isAllowed: boolean;
  readonly gremlin: Gremlin | undefined;
  readonly switched: (gremlin: Gremlin) => void;
}

export function GremlinPart({ api, isAllowed, gremlin, switched }: GremlinProps) {
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
    ${!isAllowed && html`<p>It is not allowed here: it needs <code>GREMLIN=on</code> in the environment of each node.</p>`}
    ${
      isAllowed &&
      html`<form onSubmit=${on}>
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
    </form>`
    }
    <p aria-live="polite">${problem ?? (gremlin?.enabled ? hitsText(gremlin) : 'It is off.')}</p>
  </section>`;
}

function hitsText({ hits, until }: Gremlin): string {
  const all = Object.entries(hits).flatMap(([target, kinds]) =>
    Object.entries(kinds).map(([kind, times]) => `${count(times)} × ${target} ${kind}`),
  );
  return `On until ${until === undefined ? '…' : clockTime(until)}. This node was hit: ${all.join(', ') || 'not yet'}.`;
}
