/** The HTML of the page: what it loads, and a policy that lets it load nothing else. */
import { createHash } from 'node:crypto';
import type { PageFiles } from './page-files.js';

const MOST_RELOADS = 5;

interface Shell {
  readonly html: string;
  /** Content-Security-Policy. Of what is inline, the hashes are named: the import map, since browsers take no other, and one script. */
  readonly policy: string;
}

/**
 * While nodes are upgraded, one may give the page and another one, of another version, may be asked for its files. Then the page is
 * loaded again, a few times and ever later.
 */
const RELOADING = `
(() => {
  const name = 'holdfast.reloads';
  let hasFailed = false;
  addEventListener('error', ({ target }) => {
    if (hasFailed || !(target instanceof HTMLScriptElement || target instanceof HTMLLinkElement)) return;
    hasFailed = true;
    const text = document.getElementById('loading');
    const reloads = Number(sessionStorage.getItem(name)) + 1;
    sessionStorage.setItem(name, reloads);
    if (text !== null) text.textContent = 'A file of this page was not there. ' + (reloads > ${MOST_RELOADS} ? 'Load the page again.' : 'It is loaded again.');
    if (reloads <= ${MOST_RELOADS}) setTimeout(() => location.reload(), 500 * 2 ** reloads);
  }, true);
  addEventListener('load', () => hasFailed || sessionStorage.removeItem(name));
})();
`;

/** Every module is named, so a browser asks for all at once. */
export function shellOf({ files, main, styles, icon, imports }: PageFiles): Shell {
  const importMap = JSON.stringify({ imports });
  const scripts = [...files.keys()].filter((address) => address.endsWith('.js'));
  return {
    html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="Holdfast takes orders and never sells more than it has. This page shows it at work.">
<title>Holdfast</title>
<script>${RELOADING}</script>
<link rel="icon" href="${icon}" type="image/svg+xml">
${styles.map((address) => `<link rel="stylesheet" href="${address}">`).join('\n')}
<script type="importmap">${importMap}</script>
${scripts.map((address) => `<link rel="modulepreload" href="${address}">`).join('\n')}
<script type="module" src="${main}"></script>
</head>
<body>
<div id="page">
<main>
<h1>Holdfast</h1>
<p id="loading">It takes orders and never sells more than it has, however many buyers come at once and whatever crashes.</p>
<noscript><p>This page needs JavaScript. Every operation is described in <a href="/docs">the reference</a>.</p></noscript>
</main>
</div>
</body>
</html>
`,
    policy: [
      "default-src 'none'",
      `script-src 'self' '${hashOf(importMap)}' '${hashOf(RELOADING)}'`,
      "style-src 'self'",
      "connect-src 'self'",
      "img-src 'self' data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
  };
}

const hashOf = (script: string): string => `sha256-${createHash('sha256').update(script).digest('base64')}`;
