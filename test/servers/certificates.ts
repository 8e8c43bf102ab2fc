// Certificates of an authority of one test, made by openssl when the test runs.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastLine, run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import type { Skipped } from './real-servers.js';

const OPENSSL_MS = 20_000;

/** Paths of files. */
export interface Certificate {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/**
 * What makes certificates for a name, such as `IP:127.0.0.1` or `DNS:elsewhere.example`, in the folder.
 * @param days that it is valid; -1: it has ended
 */
type Certify = (name: string, days?: number) => Promise<Certificate | Skipped>;

export async function authorityIn(folder: string): Promise<Certify | Skipped> {
  const [authority, authorityKey] = [join(folder, 'ca.crt'), join(folder, 'ca.key')];
  const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', authorityKey, '-out', authority, '-days', '2'];
  const fault = await openssl('req', '-x509', ...made, '-subj', '/CN=an authority of this test');
  if (fault !== undefined) return { skipped: `openssl made no CA: ${fault}` };
  return async (name, days = 2) => {
    const [key, csr, certificate, names] = ['key', 'csr', 'crt', 'ext'].map((end) =>
      join(folder, `${name.replace(/\W/g, '-')}${days}.${end}`),
    ) as [string, string, string, string];
    await writeFile(names, `subjectAltName=${name}`);
    const fault =
      (await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', csr, '-subj', '/CN=a server')) ??
      (await openssl(
        ...['x509', '-req', '-in', csr, '-CA', authority, '-CAkey', authorityKey, '-CAcreateserial'],
        ...['-out', certificate, '-days', `${days}`, '-extfile', names],
      ));
    return fault === undefined ? { authority, certificate, key } : { skipped: `openssl made no certificate: ${fault}` };
  };
}

async function openssl(...args: readonly string[]): Promise<string | undefined> {
  const { code, output } = await run('openssl', args, { deadlineMs: patientMs(OPENSSL_MS) });
  return code === 0 ? undefined : lastLine(output);
}
