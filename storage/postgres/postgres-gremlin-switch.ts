/** The gremlin's switch in Postgres: one row. It expires by the database's clock, whichever nodes are alive. */

import type { GremlinSwitch } from '../../actors/ports/gremlin.js';
import type { GremlinSetting, GremlinStanding } from '../../actors/ports/gremlin-setting.js';
import type { PostgresClient } from './postgres.js';

const ANSWER_MS = 2_000;

const COLUMNS = `id, setting,
  (extract(epoch from since) * 1000)::bigint as since,
  (extract(epoch from expires_at) * 1000)::bigint as until,
  (extract(epoch from expires_at - now()) * 1000)::bigint as "restMs"`;

const ENABLE = `insert into gremlin (id, setting, since, expires_at)
  values ($1, $2::json, now(), now() + $3::bigint * interval '1 millisecond')
  on conflict (one) do update set id = excluded.id, setting = excluded.setting, since = excluded.since,
    expires_at = excluded.expires_at
  returning ${COLUMNS}`;

/** Cut and not rounded: an end in the future would leave it on for a moment. */
const DISABLE = "update gremlin set expires_at = date_trunc('milliseconds', now()) where expires_at > now()";

const STANDING = `select ${COLUMNS} from gremlin where expires_at > now()`;

type Row = Omit<GremlinStanding, 'setting'> & { readonly setting: string };

const standingOf = ({ setting, ...row }: Row): GremlinStanding => ({
  ...row,
  setting: JSON.parse(setting) as GremlinSetting,
});

export function postgresGremlinSwitch(client: PostgresClient): GremlinSwitch {
  return {
    async enable(id, setting, forMs) {
      const parameters = [id, JSON.stringify(setting), forMs];
      const [row] = await client.query<Row>('switch the gremlin on', ENABLE, parameters, ANSWER_MS);
      if (row === undefined) throw new Error('Postgres did not say what it stored');
      return standingOf(row);
    },
    async disable() {
      await client.query('switch the gremlin off', DISABLE, [], ANSWER_MS);
    },
    async standing() {
      const [row] = await client.query<Row>("read the gremlin's switch", STANDING, [], ANSWER_MS);
      return row && standingOf(row);
    },
  };
}
