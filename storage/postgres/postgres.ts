/**
 * The one place that knows the Postgres driver.
 *
 * Every call ends inside its deadline, also when the server is frozen or the network swallows
 * everything: a rejection means "no answer", and the statement may still happen. Statements are
 * constant text with parameters; lists travel as array literals (column-arrays.ts). What takes several statements gets a connection of its own (`session`), never
 * one of the pool: a transaction that is left open can then leak into nobody else's work.
 *
 *  Q1. No plan depends on when it was made. A statement is prepared once a connection, and Postgres keeps a plan of it that
 *      was right for the table of that moment: small, so read from end to end. Such a plan is never taken on
 *      these connections (`enable_seqscan`), and a text must leave no other way to read a table whole: rows are found by
 *      an array of names or by a subquery a row, not by a join that could be turned round. The triggers of foreign keys
 *      and functions of the database keep plans too; the setting holds for them as well. `planAnew` keeps none.
 *      test/contract/plans.test.ts judges every statement.
 */
import postgres from 'postgres';
import { limits } from '../../actors/limits.js';
import type { Logger } from '../../actors/ports/runtime.js';
import { type PostgresTarget, parsePostgresUrl } from './libpq-url.js';
import { openSockets } from './postgres-sockets.js';

export type Parameter = string | number | boolean | null;

export interface Session {
  /** @param what names the call in errors. @param text constant: never made of input. */
  query<Row extends object>(
    what: string,
    text: string,
    parameters?: readonly Parameter[],
    deadlineMs?: number,
  ): Promise<readonly Row[]>;
}

export interface PostgresClient extends Session {
  readonly target: PostgresTarget;
  /** A connection of its own, ended afterwards whatever happened. */
  session<T>(run: (session: Session) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

interface PostgresOptions {
  /** Connections at most. */
  readonly max: number;
  readonly log?: Logger;
  readonly statementMs?: number;
  /** How long an answer is waited for, where that is longer than a statement may run: the server's word comes first then. */
  readonly waitMs?: number;
  /**
   * Foreign keys are not looked up again for each row: for flushes, whose rows refer to rows of the same
   * statement. A fifth of a flush's work; only a superuser may (`isSuperuser`).
   */
  readonly keysHold?: boolean;
  /**
   * Nothing is prepared: every statement is planned for its own parameters. For lists, whose best plan depends on
   * what is asked for, and whose texts are too many to be kept by each connection.
   */
  readonly planAnew?: boolean;
}

const CONNECT_MS = 3_000;
/** Calls that wait at once; past it they are refused rather than remembered. */
const WAITING = 5_000;

export function connectPostgres(url: string, options: PostgresOptions): PostgresClient {
  const target = parsePostgresUrl(url);
  const pool = connect(target, options);
  return {
    target,
    query: pool.query,
    end: pool.end,
    async session(run) {
      const own = connect(target, { ...options, max: 1 });
      try {
        return await run(own);
      } finally {
        own.end().catch(() => {});
      }
    },
  };
}

/** Whether this user may set `keysHold`. */
export async function isSuperuser(client: Session): Promise<boolean> {
  const text = 'select rolsuper as yes from pg_roles where rolname = current_user';
  const [row] = await client.query<{ yes: boolean }>('ask what this user may', text);
  return row?.yes === true;
}

/** The five characters of an error that Postgres itself reported, such as 53100 (disk full). */
export function sqlState(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.code : undefined;
}

function connect(target: PostgresTarget, options: PostgresOptions) {
  const { max, log, statementMs = limits.statementMs, keysHold = false, planAnew = false } = options;
  const { waitMs = statementMs } = options;
  const sockets = openSockets(target, CONNECT_MS);
  // `socket` is missing in the driver's types.
  const own = { socket: sockets.open };
  const sql = postgres({
    ...own,
    host: target.hosts[0]?.host ?? '',
    port: target.hosts[0]?.port ?? 0,
    database: target.database,
    user: target.user,
    ...(target.password && { password: target.password }),
    ...(target.sessionAttributes && { target_session_attrs: target.sessionAttributes as 'read-write' }),
    ssl: target.tls,
    max,
    connect_timeout: CONNECT_MS / 1000,
    max_lifetime: null,
    backoff: (tries: number) => (0.5 + Math.random() / 2) * Math.min(0.05 * 2 ** tries, 1),
    fetch_types: false,
    onnotice: () => {},
    types: {
      // Ours stay far below 2^53. JSON stays text: `null` in it is not the same as no value.
      bigint: { to: 20, from: [20], serialize: String, parse: Number },
      json: { to: 114, from: [114, 3802], serialize: (x: string) => x, parse: (x: string) => x },
    },
    connection: {
      application_name: target.applicationName ?? 'holdfast',
      statement_timeout: statementMs,
      // Compiling a plan takes longer than any statement of ours runs.
      jit: 'off' as never,
      // An acknowledged write must survive a power cut, whatever the role's default is.
      synchronous_commit: 'on',
      ...(!planAnew && { enable_seqscan: 'off' as never }), // postgres.Q1
      // Lists of many clients at once: each on one core, its index as near as memory is.
      ...(planAnew && {
        // As text: the driver passes over a zero.
        max_parallel_workers_per_gather: '0' as never,
        random_page_cost: 1.1 as never,
        work_mem: '16MB' as never,
      }),
      ...(keysHold && { session_replication_role: 'replica' }),
      ...(target.options && { options: target.options }),
    },
  });

  let waiting = 0;
  let late = 0;
  let ended = false;
  // The server ends every statement in time: who then still hears nothing has lost it.
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
    const answer = sql.unsafe<Row[]>(text, parameters as Parameter[], { prepare: !planAnew }).then(
      (rows) => Array.from(rows),
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
    await Promise.race([sql.end({ timeout: 1 }), new Promise((resolve) => setTimeout(resolve, 1_500).unref())]);
    sockets.endAll();
  }

  return { query, end };
}

function withCause(what: string, error: unknown): unknown {
  if (error instanceof Error) error.message = `${what}: ${error.message}`;
  return error;
}
