/** Operations on backups. A process with the role `backup` serves them on a port of its own, with its health. */
import { z } from 'zod';
import { backupReply, backupWriteReply } from '../backup-schemas.js';
import { type Operation, operation } from '../operation.js';
import { nodeOperations } from './node-operations.js';

const AT = '2026-11-30T00:00:04.112Z';

const example = {
  role: 'running',
  folder: '/var/lib/holdfast/backup',
  offsite: 'https://vault.example',
  last_dump: {
    name: '2026-11-30T17-05-00.004Z',
    ...{ taken_at: '2026-11-30T17:05:00.311Z', bytes: 48_211_004, orders: 190_114, restore_seconds: 21.4 },
  },
  last_archive: {
    ...{
      name: '2026-11-29.tar.age',
      dump: '2026-11-29T23-55-00.002Z',
      taken_at: '2026-11-29T23:55:00.290Z',
      made_at: AT,
    },
    ...{ bytes: 47_003_118, sha256: '9f2c1c0a5c6f0f5b7d7a7a53ad3a5ca0e36bb1d2f5a3f8f1f7c2a6cf3d0f7a11' },
  },
  last_upload: { name: '2026-11-29.tar.age', bytes: 47_003_118, uploaded_at: AT },
  next: { dump_at: '2026-11-30T17:10:00.000Z', archive_at: '2026-12-01T00:00:00.000Z', upload_at: null },
  running: [],
  waiting: [],
  dumps: 24,
  archives: 30,
  errors: [],
  rpo_seconds: 130.2,
  rto_seconds: 21.4,
};

const common = { tag: 'Operations', scope: 'admin', ports: 'both' } as const;

const written = (message: string, later: string) => ({
  200: { description: message, schema: backupWriteReply, example: { status: 'success', message, data: example } },
  202: {
    description: 'It takes long, and goes on.',
    schema: backupWriteReply,
    example: { status: 'success', message: later, data: example },
  },
});

const ownOperations: readonly Operation[] = [
  operation({
    ...common,
    method: 'GET',
    path: '/api/backup/status',
    id: 'getBackupStatus',
    summary: 'Show the backups and what is wrong with them',
    examples: [{ name: 'Ask' }],
    success: {
      200: {
        description: 'As this process knows it.',
        schema: backupReply,
        example: { status: 'success', data: example },
      },
    },
    handle: ({ backup }) => backup.status(),
  }),
  operation({
    ...common,
    method: 'POST',
    path: '/api/backup/trigger-dump',
    id: 'triggerDump',
    summary: 'Take a dump now',
    description: 'The dump is restored and verified before it counts. A dump that is under way is joined.',
    examples: [{ name: 'Before an upgrade' }],
    success: written(
      'A dump was taken, restored and verified',
      'The dump goes on: GET /api/backup/status tells how it ends',
    ),
    handle: ({ backup }) => backup.dump(),
  }),
  operation({
    ...common,
    method: 'POST',
    path: '/api/backup/trigger-upload',
    id: 'triggerUpload',
    summary: 'Bring a backup off-site now',
    description:
      'The newest archive that waits is uploaded. Where none waits, one is made of the newest dump. It is the upload of this UTC day: where that was made already, the answer is 429.',
    headers: {
      'X-Bypass-Rate-Limit': z
        .enum(['true', 'false'])
        .meta({ description: '`true`: a second upload of the day is made, and the off-site is asked to allow it.' }),
    },
    examples: [{ name: 'A second one today', headers: { 'X-Bypass-Rate-Limit': 'true' } }],
    success: written('The newest archive is off-site', 'The upload goes on: GET /api/backup/status tells how it ends'),
    handle: ({ backup }, _input, request) => backup.upload(request),
  }),
];

/** Everything that the port of the role `backup` serves. */
export const backupOperations: readonly Operation[] = [
  ...ownOperations,
  ...nodeOperations.filter(({ ports }) => ports === 'both'),
];
