/**
 * The one place that knows the Postgres driver.
 *
 * Every call ends within its deadline, even when the server is frozen or the network drops all packets. A rejection means
 * "no answer": the statement may still happen. A statement is constant text with parameters; lists travel as array
 * literals (column-arrays.ts). Work of several statements gets a connection of its own (`session`), not one of the pool,
 * so a transaction left open cannot affect other work.
 *
 *  Q1. No plan depends on when it was made. Each connection prepares a statement once, and Postgres may keep the plan that
 *      suited the table at that moment. A small table is scanned from end to end; a later, large one must not be.
 *      `enable_seqscan = off` excludes such plans on these connections. The text of a statement must not force a whole scan
 *      either: it finds rows by an array of ids or by a subquery per row, not by a join that the planner could reverse.
 *      Triggers of foreign keys and database functions keep plans too; the setting applies to them as well.
 *      Connections with `planAnew` keep no plans. test/contract/plans.test.ts judges every statement.
 *  Q2. Behind a pooler (`pgbouncer=true`) a connection lasts for one transaction. So nothing is prepared, and each call is a
 *      transaction that begins with the settings. The answer of its `commit` is the answer of the call.
 */
import postgres from 'postgres';
import { limits } from '../../actors/limits.js';
import type { Logger } from '../../actors/ports/runtime.js';
import { type PostgresTarget, parsePostgresUrl } from './libpq-url.js';
import { openSockets } from './postgres-sockets.js';

export type Parameter = string | number | boolean | null;

export interface Session {
  /** @param what names the call in errors. @param text is constant: never built from input. */
  query<Row extends object>(
    what: string,
    text: string,
    parameters?: readonly Parameter[],
    deadlineMs?: number,
  ): Promise<readonly Row[]>;
}

export interface PostgresClient extends Session {
  readonly target: PostgresTarget;
  /** Runs on a connection of its own, which is closed afterwards in every case. */
  session<T>(run: (session: Session) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

interface PostgresOptions {
  /** The most connections of the pool. */
  readonly max: number;
  readonly log?: Logger;
  readonly statementMs?: number;
  /** How long a call waits for its answer. If longer than `statementMs`, the server's timeout error arrives first. */
  readonly waitMs?: number;
  /**
   * Skips the foreign-key check of each row. For flushes, whose rows refer to rows of the same statement. It saves a
   * fifth of a flush's work, and needs a right (`maySkipKeyChecks`).
   */
  readonly keysHold?: boolean;
  /**
   * Prepares nothing: Postgres plans each statement for its parameters. For lists: their best plan depends on the
   * filter, and they have too many texts to keep prepared on each connection.
   */
  readonly planAnew?: boolean;
}

const CONNECT_MS = 3_000;
const INSUFFICIENT_PRIVILEGE = '42501';
/** The most calls that wait at once. Further calls are refused. */
const WAITING = 5_000;

export function connectPostgres(url: string, options: PostgresOptions): PostgresClient {
  const target = parsePostgresUrl(url);
  const pool = connect(target, options);
  return {
    target,
    query: pool.query,
    end: pool.end,
    async session(run) {
      const own = connect(target, { ...options, max: 1 }, true);
      try {
        return await run(own);
      } finally {
        own.end().catch(() => {});
      }
    },
  };
}

/** Whether the database user may set `keysHold`: a superuser, or from Postgres 15 on whoever was granted it. */
export async function maySkipKeyChecks(client: Session): Promise<boolean> {
  try {
    // For this statement alone.
    await client.query('try what this user may', "select set_config('session_replication_role', 'replica', true)");
    return true;
  } catch (error) {
    if (sqlState(error) === INSUFFICIENT_PRIVILEGE) return false;
    throw error;
  }
}

/** The SQLSTATE of an error that Postgres reported, such as 53100 (disk full). */
export function sqlState(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.code : undefined;
}

/** @param isSession one connection, on which the caller itself may begin and end transactions. */
function connect(target: PostgresTarget, options: PostgresOptions, isSession = false) {
  const { max, log, statementMs = limits.statementMs, keysHold = false, planAnew = false } = options;
  const { waitMs = statementMs } = options;
  const sockets = openSockets(target, CONNECT_MS);
  // The driver's types lack `socket`.
  const own = { socket: sockets.open };
  const settings = {
    statement_timeout: String(statementMs),
    // Compiling a plan takes longer than any statement runs.
    jit: 'off',
    // An acknowledged write must survive a power cut, whatever the role's default.
    synchronous_commit: 'on',
    ...(!planAnew && { enable_seqscan: 'off' }), // postgres.Q1
    // Many clients read lists at once, so each query uses one core. Indexes are assumed to be in memory.
    ...(planAnew && { max_parallel_workers_per_gather: '0', random_page_cost: '1.1', work_mem: '16MB' }),
    ...(keysHold && { session_replication_role: 'replica' }),
  };
  const driver = (most: number) =>
    postgres({
      ...own,
      host: target.hosts[0]?.host ?? '',
      port: target.hosts[0]?.port ?? 0,
      database: target.database,
      user: target.user,
      ...(target.password && { password: target.password }),
      ...(target.sessionAttributes && { target_session_attrs: target.sessionAttributes as 'read-write' }),
      ssl: target.tls,
      max: most,
      connect_timeout: CONNECT_MS / 1000,
      max_lifetime: null,
      backoff: (tries: number) => (0.5 + Math.random() / 2) * Math.min(0.05 * 2 ** tries, 1),
      fetch_types: false,
      onnotice: () => {},
      types: {
        // Holdfast's bigints stay far below 2^53. JSON stays text: a JSON `null` differs from no value.
        bigint: { to: 20, from: [20], serialize: String, parse: Number },
        json: { to: 114, from: [114, 3802], serialize: (x: string) => x, parse: (x: string) => x },
      },
      connection: {
        application_name: target.applicationName ?? 'holdfast',
        ...(!target.isPooled && (settings as object)),
        ...(target.options && { options: target.options }),
      },
    });

  const drivers = target.isPooled ? Array.from({ length: max }, () => driver(1)) : [driver(max)];
  const [sql] = drivers as [ReturnType<typeof driver>];
  const send = target.isPooled
    ? pooled(drivers, settings, isSession)
    : (text: string, parameters: readonly Parameter[]) =>
        sql.unsafe(text, parameters as Parameter[], { prepare: !planAnew });

  let waiting = 0;
  let late = 0;
  let ended = false;
  // The server ends every statement in time. A socket that stays silent after that has lost its server.
  const sweep = setInterval(() => sockets.endSilent(late > 0 ? statementMs + 1_000 : Number.POSITIVE_INFINITY), 1_000);
  sweep.unref();

  async function query<Row extends object>(
    what: string,
    text: string,
    parameters: readonly Parameter[] = [],
    deadlineMs = waitMs,
  ): Promise<readonly Row[]> {
    if (waiting >= WAITING) throw new Error(`${what}: ${waiting} calls wait for Postgres already, this one is refused`);
    waiting++;
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    const answer = send(text, parameters).then(
      (rows) => Array.from(rows as Iterable<Row>),
      (error: unknown) => {
        throw withCause(what, error);
      },
    );
    const settled = () => {
      waiting--;
      if (isLate) late--;
      clearTimeout(timer);
    };
    answer.then(settled, settled);
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        isLate = true;
        late++;
        log?.warn({ what, deadlineMs }, 'Postgres did not answer in time');
        reject(new Error(`${what}: Postgres did not answer within ${deadlineMs} ms`));
      }, deadlineMs);
    });
    return Promise.race([answer, deadline]);
  }

  async function end(): Promise<void> {
    if (ended) return;
    ended = true;
    clearInterval(sweep);
    await Promise.race([
      Promise.all(drivers.map((each) => each.end({ timeout: 1 }))),
      new Promise((resolve) => setTimeout(resolve, 1_500).unref()),
    ]);
    sockets.endAll();
  }

  return { query, end };
}

/** Longer than a client waits between a statement and the end of its transaction. */
const IDLE_MS = 10_000;

/**
 * postgres.Q2. Each driver has one connection, so what is sent to it arrives in order. A connection that breaks in between
 * fails the statement, and a `commit` that is alone does nothing.
 */
function pooled(
  drivers: readonly postgres.Sql<{ bigint: number; json: string }>[],
  settings: Readonly<Record<string, string>>,
  isSession: boolean,
) {
  const local = Object.entries(settings).map(([name, value]) => `set local ${name} = '${value}'`);
  const idle = `set local idle_in_transaction_session_timeout = ${IDLE_MS}`;
  const begin = ['begin', ...local, idle].join('; ');
  const slots = drivers.map((sql) => ({ sql, calls: 0 }));
  let isOpen = false;

  /** The caller's own transaction. */
  function inside(text: string, parameters: readonly Parameter[]): Promise<Iterable<unknown>> {
    const begins = /^\s*begin\b/i.test(text);
    isOpen = begins || !/^\s*(commit|rollback)\b/i.test(text);
    const all = begins ? [text, ...local].join('; ') : text;
    const [sql] = drivers as [(typeof drivers)[number]];
    return sql.unsafe(all, parameters as Parameter[], { prepare: false }).then((rows) => (begins ? [] : rows));
  }

  return async (text: string, parameters: readonly Parameter[]): Promise<Iterable<unknown>> => {
    if (isSession && (isOpen || /^\s*begin\b/i.test(text))) return inside(text, parameters);
    const slot = slots.reduce((one, other) => (other.calls < one.calls ? other : one));
    slot.calls++;
    const { sql } = slot;
    const calls = [
      sql.unsafe(begin),
      sql.unsafe(text, parameters as Parameter[], { prepare: false }),
      sql.unsafe('commit'),
    ];
    const ended = await Promise.allSettled(calls.map((call) => call.execute()));
    slot.calls--;
    for (const each of ended) if (each.status === 'rejected') throw each.reason;
    return (ended[1] as PromiseFulfilledResult<Iterable<unknown>>).value;
  };
}

function withCause(what: string, error: unknown): unknown {
  if (error instanceof Error) error.message = `${what}: ${error.message}`;
  return error;
}
