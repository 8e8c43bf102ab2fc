/**
 * The reference as one page, made from the OpenAPI document. It has no script and loads nothing. Its
 * Content-Security-Policy forbids both.
 */
import { createHash } from 'node:crypto';
import { ERRORS, type ErrorCode, exampleOf } from '../api/errors.js';
import type { Operation } from '../api/operation.js';
import { anchorOf } from '../api/problem.js';
import { curlsOf } from './curl.js';
import { fieldList, rows } from './docs-fields.js';
import { STYLE } from './docs-style.js';
import { type Html, html, prose, Html as Ready } from './html.js';
import {
  type Described,
  type Document,
  isEverywhere,
  type Media,
  parameterOf,
  type Reference,
  type Reply,
} from './openapi.js';

const HASH = createHash('sha256').update(STYLE).digest('base64');

export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: Described;
  readonly curls: ReturnType<typeof curlsOf>;
}

/** @param origin the node to which the example requests go. */
export function docsPage(operations: readonly Operation[], document: Document, origin: string): string {
  const curls = new Map(operations.map((one) => [one.id, curlsOf(one, origin)]));
  const entries = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]): Entry => ({ method, path, operation, curls: curls.get(operation.operationId) ?? [] }),
    ),
  );
  const groups = document.tags.map((tag) => ({
    ...tag,
    entries: entries.filter(({ operation }) => operation.tags.includes(tag.name)),
  }));
  const { title, version, description } = document.info;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} ${version}: API reference</title>
<style>${new Ready(STYLE)}</style>
</head>
<body>
<a class="skip" href="#top">Skip to the content</a>
<nav aria-label="Operations">
<a class="name" href="#top">${title}<small>${version}</small></a>
${groups.map((group) => navigation(group.name, group.entries))}
<h2>Errors</h2>
<ul><li><a href="#errors"><span class="verb">${codes().length}</span>Every code</a></li></ul>
</nav>
<main id="top">
<h1>${title} API</h1>
<p class="lead">Version ${version}. Generate a client from the <a href="/openapi.json">OpenAPI ${document.openapi} document</a>.</p>
${prose(String(description ?? ''))}
${groups.map((group) => [
  html`<h2 id="${group.name}">${group.name}</h2><p class="lead">${group.description}</p>`,
  ...group.entries.map((entry) => section(entry, document)),
])}
<h2 id="errors">Errors</h2>
<p class="lead">Each error has a code for programs and a message for people.</p>
${codes().map(errorSection)}
<footer>This page is made from the table that routes and validates requests. It loads nothing from elsewhere.</footer>
</main>
</body>
</html>
`.text;
}

const codes = (): ErrorCode[] => Object.keys(ERRORS) as ErrorCode[];

const navigation = (name: string, entries: readonly Entry[]): Html => html`<h2>${name}</h2>
<ul>${entries.map(
  ({ method, operation: { operationId, summary } }) =>
    html`<li><a href="#${operationId}">${verb(method)}${summary}</a></li>`,
)}</ul>`;

const verb = (method: string): Html => html`<span class="verb ${method}">${method.toUpperCase()}</span>`;

// ---------------------------------------------------------------- an operation

function section({ method, path, operation, curls }: Entry, document: Document): Html {
  const { operationId, summary, description = '', security, requestBody, responses } = operation;
  const needs = security[0]?.bearer;
  const scope = needs === undefined ? 'open to all' : needs.length === 0 ? 'any credentials' : needs.join(', ');
  const { schemas } = document.components;
  return html`<section class="operation" id="${operationId}">
<h3><a href="#${operationId}">${summary}</a></h3>
<div class="address">${verb(method)}<span class="path">${path
    .split(/(\{\w+\})/)
    .map((part) =>
      part.startsWith('{') ? html`<b>${part}</b>` : part,
    )}</span><span class="scope">${scope}</span></div>
${description === '' ? undefined : prose(description)}
<h4>Try it</h4>
${curls.map(({ label, source }) => html`<p class="what">${label}</p><pre tabindex="0"><code>${source}</code></pre>`)}
${(['path', 'query', 'header'] as const).map((where) => parameterList(where, operation, document))}
${Object.entries(requestBody?.content ?? {}).map(
  ([type, { schema }]) => html`<h4>Body <code>${type}</code></h4>${fieldList(schema, schemas, 'required')}`,
)}
<h4>Answers</h4>
${Object.entries(responses).map(([status, reply]) => answer(status, replyOf(reply, document), document))}
</section>
`;
}

const TITLES = { path: 'In the path', query: 'Query', header: 'Headers' } as const;

function parameterList(where: keyof typeof TITLES, { parameters }: Described, document: Document): Html | undefined {
  const fields = parameters.flatMap((one) => {
    const { in: place, name, required, description, schema } = parameterOf(one, document) ?? {};
    if (place !== where || name === undefined || isEverywhere(name)) return [];
    const shown = { ...schema, ...(description !== undefined && { description }) };
    return [{ name, isRequired: required === true, schema: shown }];
  });
  return fields.length === 0
    ? undefined
    : html`<h4>${TITLES[where]}</h4>${rows(fields, document.components.schemas, 'required')}`;
}

const replyOf = (reply: Reply | Reference, document: Document): Reply =>
  '$ref' in reply ? (document.components.responses[reply.$ref.split('/').at(-1) ?? ''] ?? { description: '' }) : reply;

function answer(status: string, { description, content = {} }: Reply, document: Document): Html {
  const [media] = Object.values(content);
  const number = html`<span class="status s${status.slice(0, 1)}">${status}</span>`;
  if ('application/problem+json' in content && !('Example' in (media?.examples ?? {}))) {
    const links = Object.keys(media?.examples ?? {}).map(
      (code) => html` <a href="#error-${code}"><code>${code}</code></a>`,
    );
    return html`<div class="reply">${number}<span class="what">${links}</span></div>`;
  }
  const what = html`${number}<span class="what">${(description.split('\n')[0] ?? '').slice(0, 200)}</span>`;
  if (media === undefined) return html`<div class="reply">${what}</div>`;
  return html`<details class="reply"><summary>${what}</summary><div>${successBody(media, document)}</div></details>`;
}

function successBody({ schema, examples = {} }: Media, document: Document): Html {
  const [example] = Object.values(examples);
  const value = example?.value;
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  const fields = schema.type === 'string' ? undefined : fieldList(schema, document.components.schemas, 'optional');
  return html`${fields}<pre tabindex="0"><code>${text}</code></pre>`;
}

// ---------------------------------------------------------------- errors

const errorSection = (code: ErrorCode): Html => {
  const { status, title, when } = ERRORS[code];
  return html`<section class="error" id="${anchorOf(code)}">
<h3><span class="status s${String(status).slice(0, 1)}">${status}</span> <a href="#${anchorOf(code)}">${title}</a> <code>${code}</code></h3>
${prose(when)}
<pre tabindex="0"><code>${JSON.stringify(exampleOf(code), null, 2)}</code></pre>
</section>
`;
};
