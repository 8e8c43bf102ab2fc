/** The rows about archives: which there are, how far each is, and where each of its orders is. */
import { msOf, plain, texts } from '../postgres/column-arrays.js';
import type { PostgresClient, Session } from '../postgres/postgres.js';
import type { ArchiveFile, Block, Entry } from './archive-file.js';

export interface ArchiveRow {
  readonly no: number;
  readonly name: string;
  readonly place: string;
  /** `removed`: its file may be left. `abandoned`: its place is lost, and is asked for nothing. */
  readonly state: 'begun' | 'noted' | 'cleared' | 'removed' | 'abandoned';
  readonly orders: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly firstPlacedAt: number;
  readonly lastPlacedAt: number;
}

/** One archive's orders in one statement. */
const LONG_MS = 60_000;
/** Ids of one statement. */
const IDS = 5_000;

const ARCHIVES = `select no, name, place, case when abandoned then 'abandoned' when removed_at is not null then 'removed' when cleared_at is not null then 'cleared'
    when noted_at is not null then 'noted' else 'begun' end as state,
  coalesce(orders, 0) as orders, coalesce(bytes, 0)::float8 as bytes, coalesce(sha256, '') as sha256,
  coalesce(${msOf('first_placed_at')}, 0)::float8 as "firstPlacedAt", coalesce(${msOf('last_placed_at')}, 0)::float8 as "lastPlacedAt"
  from archives where no > $1 order by no limit 1000`;

export async function archiveRows(client: Session): Promise<readonly ArchiveRow[]> {
  const rows: ArchiveRow[] = [];
  for (let after = 0; ; ) {
    const page = await client.query<ArchiveRow>('read the archives', ARCHIVES, [after]);
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < 1_000) return rows;
    after = last.no;
  }
}

/** From here on the file may exist: whoever comes next removes it, unless it is noted. */
export async function beginArchive(
  client: Session,
  place: string,
  nameOf: (no: number) => string,
): Promise<Pick<ArchiveRow, 'no' | 'name'>> {
  const draw = `select nextval(pg_get_serial_sequence('archives', 'no'))::int as no`;
  const [row] = await client.query<{ no: number }>('number an archive', draw);
  const no = row?.no ?? 0;
  const name = nameOf(no);
  const text = 'insert into archives (no, name, place) overriding system value values ($1, $2, $3)';
  await client.query('begin an archive', text, [no, name, place]);
  return { no, name };
}

export async function forgetBegun(client: Session, no: number): Promise<void> {
  const text = 'delete from archives where no = $1 and noted_at is null';
  await client.query('forget an archive that was not finished', text, [no]);
}

/**
 * The archive is removed before it was ever noted: from here on nobody notes it. Its row stays, so that whatever a run that does
 * not know of it still writes is removed by the next one.
 * @returns false if somebody has noted it meanwhile
 */
export async function giveUpBegun(client: Session, no: number): Promise<boolean> {
  const text = `update archives set removed_at = clock_timestamp()
    where no = $1 and noted_at is null and removed_at is null returning no`;
  return (await client.query('give an archive up', text, [no])).length > 0;
}

/** @throws if the archive was not as this run had left it: another one has been at it */
export function mustHave(met: readonly object[]): void {
  if (met.length > 0) return;
  throw new Error('another run has removed this archive meanwhile, so nothing was noted: archive again');
}

interface Noted {
  readonly no: number;
  readonly file: ArchiveFile;
  readonly firstPlacedAt: number;
  readonly lastPlacedAt: number;
}

/** From here on its orders are archived (archive-barrier.A1): no act changes them any more. */
export function noteArchive(client: PostgresClient, noted: Noted): Promise<void> {
  return client.session(async (session) => {
    await session.query('begin to note an archive', 'begin');
    await noteFile(session, noted);
    const { no, file } = noted;
    for (let i = 0; i < file.entries.length; i += IDS) await noteOrders(session, no, file.entries.slice(i, i + IDS));
    await session.query('end of noting an archive', 'commit');
  });
}

export async function noteFile(session: Session, { no, file, firstPlacedAt, lastPlacedAt }: Noted): Promise<void> {
  const text = `update archives set noted_at = clock_timestamp(), orders = $2, bytes = $3, sha256 = $4,
    first_placed_at = to_timestamp($5 / 1000::float8), last_placed_at = to_timestamp($6 / 1000::float8)
    where no = $1 and noted_at is null and removed_at is null returning no`;
  const { bytes, sha256, entries, blocks } = file;
  const parameters = [no, entries.length, bytes, sha256, firstPlacedAt, lastPlacedAt];
  mustHave(await session.query('note an archive', text, parameters));
  const each = `insert into archive_blocks (archive, block, at, bytes)
    select $1::int, unnest($2::int[]), unnest($3::bigint[]), unnest($4::int[])`;
  await session.query('note the blocks of an archive', each, [
    no,
    plain([...blocks.keys()], (block) => block),
    plain(blocks, ({ at }) => at),
    plain(blocks, ({ bytes }) => bytes),
  ]);
}

async function noteOrders(session: Session, no: number, entries: readonly Entry[]): Promise<void> {
  const text = `insert into archived_orders (order_id, archive, block, version)
    select unnest($2::text[]), $1::int, unnest($3::int[]), unnest($4::int[])`;
  await session.query('note archived orders', text, [
    no,
    texts(entries, ({ id }) => id),
    plain(entries, ({ block }) => block),
    plain(entries, ({ version }) => version),
  ]);
}

const BLOCKS = 'select at::float8 as at, bytes from archive_blocks where archive = $1 order by block';

export const blocksOfArchive = (client: Session, no: number): Promise<readonly Block[]> =>
  client.query<Block>('read the blocks of an archive', BLOCKS, [no]);

/** archive-barrier.A2. An archive keeps the barrier that it got first. */
export async function barrierOf(client: Session, no: number): Promise<number> {
  const text = `update archives set barrier = coalesce(barrier, nextval('archive_barriers')) where no = $1
    returning barrier::float8 as barrier`;
  const [row] = await client.query<{ barrier: number }>('name a barrier', text, [no]);
  return row?.barrier ?? 0;
}

/** The open journals whose nodes have not seen it, with the names of the nodes. */
export async function unseenBy(client: Session, barrier: number): Promise<readonly string[]> {
  const text = `select journal from journals where not closed and archives_seen < $1::bigint order by opened_at, journal`;
  const rows = await client.query<{ journal: string }>('look who has seen the barrier', text, [barrier]);
  return rows.map(({ journal }) => journal);
}

export async function noteCleared(client: Session, no: number): Promise<void> {
  const text = 'update archives set cleared_at = clock_timestamp() where no = $1 and cleared_at is null';
  await client.query('note that an archive is cleared', text, [no]);
}

const ABANDON = `with back as (
    delete from archived_orders a where archive = $1::int and exists (select from orders o where o.order_id = a.order_id) returning 1),
  gone as (
    update archives set removed_at = clock_timestamp(), barrier = nextval('archive_barriers'), abandoned = true,
      left_out = left_out + (select count(*) from back)
    where no = $1::int and removed_at is null and noted_at is not null returning orders - left_out as orders)
  select coalesce((select orders from gone), 0)::int as gone, (select count(*)::int from back) as back`;

/** Its file is lost. Orders with rows in the tables are archived no more; the others are gone. */
export async function noteAbandoned(
  client: Session,
  no: number,
): Promise<{ readonly gone: number; readonly back: number }> {
  const [row] = await client.query<{ gone: number; back: number }>('abandon an archive', ABANDON, [no], LONG_MS);
  const rest = 'update archives set abandoned = true where no = $1 and removed_at is not null';
  await client.query('abandon what was removed', rest, [no]);
  return row ?? { gone: 0, back: 0 };
}

/** Its orders are gone from here on; the file goes after this. */
export async function noteRemoved(client: Session, no: number): Promise<void> {
  const text = `update archives set removed_at = clock_timestamp(), barrier = nextval('archive_barriers')
    where no = $1 and removed_at is null`;
  await client.query('note that an archive is removed', text, [no]);
}

/** When the policy was last run, in milliseconds. @returns undefined: never, or the last one was another policy */
export async function policyRanAt(client: Session, policy: string): Promise<number | undefined> {
  const text = `select ${msOf('ran_at')}::float8 as at from archive_policy where policy = $1`;
  return (await client.query<{ at: number }>('read when the policy ran', text, [policy]))[0]?.at;
}

export async function notePolicyRan(client: Session, policy: string, at: number): Promise<void> {
  const text = `insert into archive_policy (policy, ran_at) values ($1, to_timestamp($2 / 1000::float8))
    on conflict (one) do update set policy = excluded.policy, ran_at = excluded.ran_at`;
  await client.query('note that the policy ran', text, [policy, at]);
}

const COUNT_ABANDONED = `with back as (
    select count(*)::int as orders from archived_orders a join orders o using (order_id) where a.archive = $1::int)
  select case when noted_at is null then 0 else orders - left_out - (select orders from back) end::int as gone,
    (select orders from back) as back
  from archives where no = $1::int and removed_at is null`;

/** What abandoning this archive would do. */
export async function countAbandoned(
  client: Session,
  no: number,
): Promise<{ readonly gone: number; readonly back: number }> {
  const name = 'count what would be abandoned';
  const [row] = await client.query<{ gone: number; back: number }>(name, COUNT_ABANDONED, [no], LONG_MS);
  return row ?? { gone: 0, back: 0 };
}
