// The user for a server that refuses root, and what that user can reach. Law: the kernel decides. Access is tried as that
// user; permission bits are not interpreted here.

import { readFileSync } from 'node:fs';
import { run, type ServerUser } from './processes.js';

const TRY_MS = 10_000;

/** `postgres`, else `nobody`, if this process is root; undefined if it already runs as an ordinary user. */
export function unprivilegedUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const wanted of ['postgres', 'nobody']) {
    const [name, , uid, gid] = accounts.find((line) => line.startsWith(`${wanted}:`))?.split(':') ?? [];
    if (name !== undefined && Number(uid) > 0) return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'Postgres refuses to run as root, and /etc/passwd has neither a user "postgres" nor "nobody": add one, start as another user, or set DATABASE_URL.',
  );
}

/** Whether this user (undefined: our own) can enter the folder. */
export async function canEnter(user: ServerUser | undefined, folder: string): Promise<boolean> {
  return (await run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], { deadlineMs: TRY_MS, user, cwd: '/' })).code === 0;
}
