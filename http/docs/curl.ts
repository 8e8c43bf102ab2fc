/** The requests that an operation shows, as curl sends them. */
import type { Example, Operation } from '../api/operation.js';

const BASE = 'http://127.0.0.1:3000';

export const curlsOf = (operation: Operation): { readonly label: string; readonly source: string }[] =>
  (operation.examples ?? []).map((example) => ({ label: example.name, source: curl(operation, example) }));

/** The path and query of an example. */
function addressOf({ path }: Operation, { params = {}, query = {} }: Example): string {
  const filled = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
  const asked = new URLSearchParams(query).toString();
  return asked === '' ? filled : `${filled}?${asked}`;
}

function curl(operation: Operation, example: Example): string {
  const { method, stream } = operation;
  const { headers = {}, body } = example;
  const address = `${BASE}${addressOf(operation, example)}`;
  const hasBody = body !== undefined || stream !== undefined;
  const lines = [
    `curl -s${method === 'GET' || (method === 'POST' && hasBody) ? '' : ` -X ${method}`} ${quoted(address)}`,
  ];
  if (hasBody) lines.push(`-H 'Content-Type: ${stream?.contentType ?? 'application/json'}'`);
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (stream !== undefined) lines.push(`--data-binary ${quoted(stream.example)}`);
  else if (body !== undefined) lines.push(`-d ${quoted(JSON.stringify(body))}`);
  return lines.join(' \\\n  ');
}

/** For a shell; left as it is where it needs no quotes. */
const quoted = (text: string): string => (/^[\w:/.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
