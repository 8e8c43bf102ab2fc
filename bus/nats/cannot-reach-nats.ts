// Why no broker could be reached, in words.

/** The message names the hosts and the reason, and never a password. The caller adds the variable that the URL came from. */
export class CannotReachNats extends Error {
  override readonly name = 'CannotReachNats';
}

/** The reason in words, searched through all nested causes. It never contains a password. */
export function whyNotConnected(error: unknown): string {
  const all: string[] = [];
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const { code = '' } = each as NodeJS.ErrnoException;
    all.push(`${code} ${each.name} ${each.message}`);
    if (each instanceof AggregateError) for (const one of each.errors) all.push(reasonOf(one));
  }
  const said = all.join(' ');
  if (/authori[sz]ation|authentication/i.test(said)) return 'it refuses this user, password or token';
  if (/ENOTFOUND|EAI_AGAIN|getaddrinfo/.test(said)) return 'there is no host of this name';
  if (/CERT|SIGNATURE|certificate|altnames/i.test(said))
    return `its TLS certificate is not accepted: ${reasonOf(error)}`;
  if (/ECONNREFUSED|connection refused/i.test(said)) return 'nobody listens there';
  if (/timeout/i.test(said)) return 'it does not answer';
  return reasonOf(error);
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
