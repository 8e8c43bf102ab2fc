/**
 * The log in Postgres.
 *
 * The head is a row of its own, moved by compare-and-set (hazard 1). Neither a primary key nor the highest record would
 * stop a paused process from appending at a position that was trimmed meanwhile. An append is one statement. An append
 * without an answer in time may still happen; the caller reads the log to find out. Each log has its own head, so the
 * journals of several nodes do not wait for one another; appends to one log wait for its head, and all but one conflict.
 */
import { limits } from '../../actors/limits.js';
import type { Entry, Log, Position } from '../../actors/ports/log.js';
import { type PostgresClient, sqlState } from './postgres.js';

/** A page ends at whichever limit comes first. */
const PAGE_RECORDS = 1_000;
const PAGE_BYTES = 8_388_608;
/** Records that one trim statement removes at most. */
const TRIM_RECORDS = 5_000;

const DISK_FULL = '53100';

// The head row exists from the first append on, so a log without one has never held a record.
const FIRST = `with moved as (
    insert into log_heads (log, position) values ($1, 1) on conflict do nothing returning position)
  insert into log_records (log, position, record) select $1, position, $2 from moved returning position`;

const NEXT = `with moved as (
    update log_heads set position = position + 1 where log = $1 and position = $3 returning position)
  insert into log_records (log, position, record) select $1, position, $2 from moved returning position`;

const READ = `select position, record from (
    select position, record, sum(octet_length(record)) over (order by position) - octet_length(record) as before
    from (select position, record from log_records where log = $1 and position > $2
          order by position limit ${PAGE_RECORDS}) page) sized
  where before < ${PAGE_BYTES} order by position`;

const END = 'select position from log_heads where log = $1';

const LAST = `select position, record from log_records
  where log = $1 and position = (select position from log_heads where log = $1)`;

const TRIM = `with gone as (
    delete from log_records where log = $1 and position = any(array(
      select position from log_records
      where log = $1 and position <= $2 and position < (select position from log_heads where log = $1)
      order by position limit ${TRIM_RECORDS}))
    returning 1)
  select count(*)::int as gone from gone`;

/** @param client should serve the log alone: an append must not queue behind a flush. */
export function postgresLog(client: PostgresClient): Log {
  return {
    async append(log, after, record) {
      const what = `append to the log '${log}'`;
      try {
        const [row] = await (after === 0
          ? client.query<{ position: Position }>(what, FIRST, [log, record], limits.appendAnswerMs)
          : client.query<{ position: Position }>(what, NEXT, [log, record, after], limits.appendAnswerMs));
        return row === undefined ? { kind: 'conflict' } : { kind: 'appended', position: row.position };
      } catch (error) {
        if (sqlState(error) === DISK_FULL) return { kind: 'full' };
        throw error;
      }
    },

    read: (log, after) => client.query<Entry>(`read the log '${log}'`, READ, [log, after]),

    async end(log) {
      const [row] = await client.query<{ position: Position }>(`find the end of the log '${log}'`, END, [log]);
      return row?.position ?? 0;
    },

    async last(log) {
      const [entry] = await client.query<Entry>(`read the end of the log '${log}'`, LAST, [log]);
      return entry;
    },

    async trim(log, upTo) {
      for (;;) {
        const [row] = await client.query<{ gone: number }>(`trim the log '${log}'`, TRIM, [log, upTo]);
        if (row === undefined || row.gone < TRIM_RECORDS) return;
      }
    },
  };
}
