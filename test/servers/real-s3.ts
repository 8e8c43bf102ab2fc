// A real server of buckets for a test: SeaweedFS' weed, the one on PATH or fetched once. Law: a missing one is reported.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort, isFree } from '../../deploy/servers/free-ports.js';
import { until } from '../deadlines.js';
import { weed } from './fetched-tools.js';
import { SpawnedServer } from './spawned-server.js';

const START_MS = 40_000;

/** It also takes each port plus this. */
const ABOVE = 10_000;

interface RealS3 {
  readonly endpoint: string;
  readonly bucket: string;
  stop(): Promise<void>;
}

/** Its keys are set in this process' AWS_* variables, where the client looks for them. */
export async function realS3(): Promise<RealS3 | { readonly skipped: string }> {
  const binary = await weed();
  if (typeof binary !== 'string') return { skipped: binary.missing };
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-s3-'));
  const [accessKey, secretKey, bucket] = ['holdfast', 'kept-for-this-test', 'shop-backups'];
  const identity = {
    name: 'test',
    credentials: [{ accessKey, secretKey }],
    actions: ['Admin', 'Read', 'Write', 'List'],
  };
  writeFileSync(join(folder, 's3.json'), JSON.stringify({ identities: [identity] }));
  const [master = 0, volume = 0, filer = 0, s3 = 0] = await roomyPorts(4);
  const server = new SpawnedServer(binary, [
    ...['server', `-dir=${folder}`, '-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-master.port=${master}`],
    ...[`-volume.port=${volume}`, '-volume.max=8', '-master.volumeSizeLimitMB=256', '-filer', `-filer.port=${filer}`],
    ...['-s3', `-s3.port=${s3}`, `-s3.config=${join(folder, 's3.json')}`],
  ]);
  const endpoint = `http://127.0.0.1:${s3}`;
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_REGION: 'us-east-1',
  });
  server.spawn();
  const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', maxAttempts: 1 });
  const make = () =>
    client.send(new CreateBucketCommand({ Bucket: bucket })).then(
      () => true,
      () => false,
    );
  const isThere = await until(make, START_MS, 200);
  client.destroy();
  const stop = async () => {
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  };
  if (isThere) return { endpoint, bucket, stop };
  const { said } = server;
  await stop();
  return { skipped: `weed made no bucket within ${START_MS / 1_000} s: ${said.slice(-300)}` };
}

async function roomyPorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = await freePort();
    if (!found.includes(port) && (await isFree(port + ABOVE))) found.push(port);
  }
  return found;
}
