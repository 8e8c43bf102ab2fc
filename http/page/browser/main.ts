/** The page begins here: it renders into the element `page` of the shell (http/page/shell.ts). */
import htm from 'htm';
import { h, render } from 'preact';

const html = htm.bind(h);
const root = document.getElementById('page');
if (root !== null) render(html`<main><h1>Holdfast</h1></main>`, root);
