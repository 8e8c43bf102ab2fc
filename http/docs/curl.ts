/** The example requests of an operation as curl commands. */
import type { Example, Operation } from '../api/operation.js';

/** @param origin of the node, such as `http://127.0.0.1:3000`. */
export const curlsOf = (operation: Operation, origin: string): { readonly label: string; readonly source: string }[] =>
  (operation.examples ?? []).map((example) => ({ label: example.name, source: curl(operation, example, origin) }));

/** The path and query of an example. */
function addressOf({ path }: Operation, { params = {}, query = {} }: Example): string {
  const filled = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
  const parameters = new URLSearchParams(query).toString();
  return parameters === '' ? filled : `${filled}?${parameters}`;
}

function curl(operation: Operation, example: Example, origin: string): string {
  const { method, stream, endless } = operation;
  const { headers = {}, body } = example;
  const address = `${origin}${addressOf(operation, example)}`;
  const hasBody = body !== undefined || stream !== undefined;
  const lines = [
    `curl -s${endless ? ' -N' : ''}${method === 'GET' || (method === 'POST' && hasBody) ? '' : ` -X ${method}`} ${quoted(address)}`,
  ];
  if (hasBody) lines.push(`-H 'Content-Type: ${stream?.contentType ?? 'application/json'}'`);
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (stream !== undefined) lines.push(`--data-binary ${quoted(stream.example)}`);
  else if (body !== undefined) lines.push(`-d ${quoted(JSON.stringify(body))}`);
  return lines.join(' \\\n  ');
}

/** Quotes the text for a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
