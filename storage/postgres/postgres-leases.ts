/**
 * Leases as advisory locks of a transaction that stays open, on a connection of its own. Postgres frees them when it ends, whatever
 * became of the process. A pooler keeps a connection for a transaction and not for a session.
 *
 * Law: the driver may replace a connection that broke, and the lock is then gone. So the holder asks again and again whether it
 * still has it, and counts anything but yes as lost. A holder that sleeps would keep it for ever: Postgres ends a transaction in
 * which nothing is asked for a while. Between two questions it holds no snapshot, so it keeps nothing from being cleaned up.
 */
import type { Leases } from '../../actors/ports/leases.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { PostgresClient, Session } from './postgres.js';

const TRY_MS = 2_000;
const CHECK_MS = 1_000;
const ANSWER_MS = 3_000;
/** Longer than a busy machine keeps a process waiting. */
const SILENT_MS = 15_000;

/** @param silentMs after which a holder that asks nothing has lost its lease; shorter only in tests */
export function postgresLeases(client: PostgresClient, clock: Clock, silentMs = SILENT_MS): Leases {
  return {
    holding: (name, signal, run, waits) =>
      client.session(async (session) => {
        let hasWaited = false;
        while (!signal.aborted) {
          const isOurs = await taken(session, name, silentMs);
          if (signal.aborted) return undefined; // Meanwhile; no event tells it any more. The session's end frees the lock.
          if (isOurs) return held(session, name, clock, signal, run);
          if (!hasWaited) waits?.();
          hasWaited = true;
          await pause(clock, TRY_MS * (0.5 + clock.random()), signal);
        }
        return undefined;
      }),
  };
}

// ---------------------------------------------------------------- machinery

/** Two keys: the first one is ours, the second one the name's. */
const KEYS = `hashtext('holdfast lease'), hashtext($1)`;

/** What was begun and got no lock ends at once. */
async function taken(session: Session, name: string, silentMs: number): Promise<boolean> {
  const what = `take the lease ${name}`;
  const text = `select pg_try_advisory_xact_lock(${KEYS}) as yes,
    set_config('idle_in_transaction_session_timeout', $2, true) as ends`;
  await session.query(what, 'begin', [], ANSWER_MS);
  const [row] = await session.query<{ yes: boolean }>(what, text, [name, `${silentMs}`], ANSWER_MS);
  // A connection that broke after `begin` had the lock for this statement alone.
  if (row?.yes === true && (await holds(session, name))) return true;
  await session.query(what, 'rollback', [], ANSWER_MS);
  return false;
}

async function holds(session: Session, name: string): Promise<boolean> {
  const text = `select count(*) as count from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
    and (classid, objid) = (hashtext('holdfast lease')::oid, hashtext($1)::oid) and granted`;
  const [row] = await session.query<{ count: number }>(`look at the lease ${name}`, text, [name], ANSWER_MS);
  return (row?.count ?? 0) > 0;
}

async function held<T>(
  session: Session,
  name: string,
  clock: Clock,
  signal: AbortSignal,
  run: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const give = () => lost.abort(signal.reason);
  signal.addEventListener('abort', give);
  const watch = async () => {
    while (!lost.signal.aborted) {
      await pause(clock, CHECK_MS, lost.signal);
      if (lost.signal.aborted) return;
      const isOurs = await holds(session, name).catch(() => false);
      if (!isOurs) lost.abort(new Error(`the lease ${name} is lost: its session in Postgres has ended`));
    }
  };
  const watching = watch();
  try {
    return await run(lost.signal);
  } finally {
    signal.removeEventListener('abort', give);
    lost.abort();
    await watching;
  }
}

/** Ends at once with a signal that is aborted already. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener('abort', end);
  });
}
