/** The HTML of the page: what it loads, and a policy that lets it load nothing else. */
import { createHash } from 'node:crypto';
import type { PageFiles } from './page-files.js';

interface Shell {
  readonly html: string;
  /** Content-Security-Policy. The import map is inline, because browsers take no other; so its hash is named. */
  readonly policy: string;
}

/** Every module is named, so a browser asks for all at once. */
export function shellOf({ files, main, styles, icon, imports }: PageFiles): Shell {
  const importMap = JSON.stringify({ imports });
  const modules = [...files.keys()].filter((address) => address.endsWith('.js'));
  return {
    html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="Holdfast takes orders and never sells what it does not have. This page shows it at work.">
<title>Holdfast</title>
<link rel="icon" href="${icon}" type="image/svg+xml">
${styles.map((address) => `<link rel="stylesheet" href="${address}">`).join('\n')}
<script type="importmap">${importMap}</script>
${modules.map((address) => `<link rel="modulepreload" href="${address}">`).join('\n')}
<script type="module" src="${main}"></script>
</head>
<body>
<div id="page">
<main>
<h1>Holdfast</h1>
<p>It takes orders, and never sells what it does not have.</p>
<noscript><p>This page needs JavaScript. Every operation is described in <a href="/docs">the reference</a>.</p></noscript>
</main>
</div>
</body>
</html>
`,
    policy: [
      "default-src 'none'",
      `script-src 'self' '${hashOf(importMap)}'`,
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
