/** The style of the reference page: one column on a phone, a list of operations beside it on a desktop, a dark mode. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d2126; --soft: #5d6672; --line: #e4e1db; --code: #f4f2ee;
  --accent: #0b6e5f; --get: #1f6fb2; --post: #0b7a53; --patch: #9a5b00; --delete: #b3261e; --warn: #a34700; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1b1f23; --ink: #e6e4df; --soft: #9aa3ad; --line: #2d3338; --code: #0f1214;
    --accent: #5cc8b3; --get: #6cb2ee; --post: #58c596; --patch: #e0aa55; --delete: #f28b82; --warn: #e8a15c; --bad: #f28b82;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 3px; }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; z-index: 2; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .86em; }
code { background: var(--code); border: 1px solid var(--line); border-radius: 4px; padding: .05em .35em; overflow-wrap: anywhere; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0 0; padding: .8rem 1rem; overflow-x: auto; line-height: 1.5; tab-size: 2; }
pre code { background: none; border: 0; padding: 0; overflow-wrap: normal; }

nav { padding: 1rem 1.25rem; border-bottom: 1px solid var(--line); }
nav .name { font-weight: 700; font-size: 1.15rem; letter-spacing: -.01em; color: var(--ink); text-decoration: none; }
nav .name small { font-weight: 400; color: var(--soft); margin-left: .4rem; }
nav h2 { font-size: .75rem; letter-spacing: .09em; text-transform: uppercase; color: var(--soft); margin: 1.2rem 0 .3rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: flex; gap: .55rem; align-items: baseline; padding: .22rem .5rem; margin: 0 -.5rem; border-radius: 6px; color: var(--ink); text-decoration: none; font-size: .92rem; line-height: 1.4; }
nav li a:hover { background: var(--code); }
nav .verb { flex: 0 0 2.7rem; font-size: .64rem; }

main { padding: 1.25rem; max-width: 62rem; margin: 0 auto; }
h1 { font-size: clamp(1.7rem, 5vw, 2.4rem); line-height: 1.15; letter-spacing: -.025em; margin: .5rem 0 .25rem; }
main > h2 { font-size: 1.45rem; letter-spacing: -.015em; margin: 3rem 0 .2rem; }
.lead { color: var(--soft); margin: 0 0 1.2rem; }
section.operation, section.error { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.25rem 1.3rem; margin: 1.2rem 0; }
section:target { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
h3 { font-size: 1.12rem; margin: 0 0 .35rem; line-height: 1.35; }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover { text-decoration: underline; }
h4 code { text-transform: none; letter-spacing: 0; }
h4 { font-size: .75rem; letter-spacing: .09em; text-transform: uppercase; color: var(--soft); margin: 1.4rem 0 .35rem; }
.address { display: flex; flex-wrap: wrap; gap: .3rem .6rem; align-items: center; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .92rem; overflow-wrap: anywhere; }
.address .path b { color: var(--accent); font-weight: 600; }
.verb { font: 700 .72rem/1 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; letter-spacing: .04em; color: var(--ink); }
.address .verb { padding: .35rem .5rem; border-radius: 5px; border: 1px solid currentColor; }
.verb.get { color: var(--get); } .verb.post { color: var(--post); } .verb.patch, .verb.put { color: var(--patch); } .verb.delete { color: var(--delete); }
.scope { margin-left: auto; font-size: .78rem; color: var(--soft); font-family: system-ui, sans-serif; }
p { margin: .6rem 0; }

dl.fields { margin: 0; border-top: 1px solid var(--line); }
dl.fields > div { border-bottom: 1px solid var(--line); padding: .45rem 0; }
dl.fields dt { font-size: .95rem; }
dl.fields dt code { background: none; border: 0; padding: 0; font-weight: 600; }
dl.fields dt .type { color: var(--soft); font-size: .82rem; margin-left: .4rem; }
dl.fields dt .needed { color: var(--warn); font-size: .78rem; margin-left: .4rem; }
dl.fields dd { margin: .1rem 0 0; color: var(--soft); font-size: .9rem; }

.reply { border-top: 1px solid var(--line); }
div.reply, .reply > summary { padding: .5rem 0; display: flex; gap: .75rem; align-items: baseline; list-style: none; }
.reply > summary { cursor: pointer; }
details.reply > summary::-webkit-details-marker { display: none; }
details.reply > summary::after { content: "+"; margin-left: auto; color: var(--soft); font-family: ui-monospace, monospace; }
details.reply[open] > summary::after { content: "\\2212"; }
details.reply > div { padding: 0 0 .9rem; }
.status { font: 700 .9rem/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; flex: 0 0 2.4rem; color: var(--post); }
.status.s3 { color: var(--get); } .status.s4 { color: var(--warn); } .status.s5 { color: var(--bad); }
.what { color: var(--soft); font-size: .92rem; }
footer { color: var(--soft); font-size: .85rem; padding: 2rem 0 3rem; }

@media (min-width: 64rem) {
  body { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; border-bottom: 0; border-right: 1px solid var(--line); padding: 1.5rem 1.25rem; }
  main { padding: 2rem 3rem; width: 100%; margin: 0; }
}
@media print { nav { display: none; } body { display: block; } section { break-inside: avoid; } }
`;
