/** What certificates.sh of components/tls makes, as the Secrets that OPERATING makes of it. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import type { SecretFiles } from './manifests.js';

const OPENSSL_MS = 30_000;

export async function tlsSecrets(): Promise<SecretFiles | { readonly missing: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-certificates-'));
  try {
    const openssl = await run('openssl', ['version'], { deadlineMs: patientMs(OPENSSL_MS) });
    if (openssl.code !== 0) return { missing: 'no openssl on PATH' };
    const script = 'deploy/kubernetes/components/tls/certificates.sh';
    const made = await run('sh', [script, folder], { deadlineMs: patientMs(OPENSSL_MS) });
    if (made.code !== 0) throw new Error(`${script}: ${made.output}`);
    const servers = readdirSync(folder, { withFileTypes: true }).filter((each) => each.isDirectory());
    const filesIn = (server: string) =>
      readdirSync(join(folder, server)).map((file) => [file, readFileSync(join(folder, server, file), 'utf8')]);
    return Object.fromEntries(servers.map(({ name }) => [`${name}-tls`, Object.fromEntries(filesIn(name))]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
