/** The schemas of replies about backups. */
import { z } from 'zod';
import { one, written } from './envelopes.js';

const count = z.int().min(0);
const time = z.iso.datetime();
const seconds = z.number().min(0).nullable();

const dump = z
  .object({
    name: z.string().meta({ description: 'Its folder in `dumps/`: the time at which it began.' }),
    taken_at: time.meta({ description: 'Everything that was acknowledged before this time is in it.' }),
    bytes: count,
    orders: count,
    restore_seconds: z.number().min(0).meta({ description: 'How long its restore took when it was checked.' }),
  })
  .meta({ id: 'BackupDump' });

const archive = z
  .object({
    name: z.string(),
    dump: z.string().meta({ description: 'The dump that it holds.' }),
    taken_at: time,
    made_at: time,
    bytes: count,
    sha256: z.string(),
  })
  .meta({ id: 'BackupArchive' });

const upload = z.object({ name: z.string(), bytes: count, uploaded_at: time }).meta({ id: 'BackupUpload' });

const failure = z
  .object({
    step: z.enum(['dump', 'archive', 'upload']),
    message: z.string().meta({ description: 'What went wrong, in words.' }),
    failures: count.meta({ description: 'How many in a row.' }),
    failed_at: time,
    tried_again_at: time,
  })
  .meta({ id: 'BackupFailure' });

const status = z
  .object({
    role: z
      .enum(['running', 'elsewhere', 'failing'])
      .meta({ description: '`elsewhere`: another process keeps the backups.' }),
    why: z.string().optional(),
    folder: z.string(),
    offsite: z.string().nullable(),
    last_dump: dump.nullable(),
    last_archive: archive.nullable(),
    last_upload: upload.nullable(),
    next: z.object({ dump_at: time.nullable(), archive_at: time.nullable(), upload_at: time.nullable() }).meta({
      id: 'BackupTimes',
      description: 'When each runs next by itself. Null: not before something waits for it.',
    }),
    running: z.array(z.string()).meta({ description: 'The steps that run now.' }),
    waiting: z.array(z.string()).meta({
      description: 'Archives that are not off-site yet. One a day goes, the newest first, so this is their sequence.',
    }),
    dumps: count,
    archives: count,
    errors: z.array(failure).meta({ description: 'The steps that have failed and were not done since.' }),
    unsaved: z.object({ orders: count, since: time }).nullable().meta({
      id: 'BackupUnsaved',
      description:
        'At most so many orders were acknowledged since the moment of the newest checked dump: what a disaster now would lose. Null: there is no dump, or the database does not answer.',
    }),
    rpo_seconds: seconds.meta({ description: 'The age of the newest checked dump: what a disaster now would lose.' }),
    rto_seconds: seconds.meta({ description: 'How long the last restore took.' }),
  })
  .meta({ id: 'BackupStatus' });

export const backupReply = one('BackupReply', status);
export const backupWriteReply = written('BackupWriteReply', status);
