/** The off-site in a bucket, on a real server: parts, read back, listed under its prefix alone. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CreateBucketCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import * as assert from 'uvu/assert';
import { s3Bucket } from '../../storage/backup/s3-bucket.js';
import { s3Offsite } from '../../storage/backup/s3-offsite.js';
import { realS3 } from '../servers/real-s3.js';
import { archiveIn, offsiteContract } from './offsite.suite.js';

/** The least that the protocol allows. */
const PART = 5_242_880;
const signal = AbortSignal.any([]);

const s3 = await realS3();
if ('skipped' in s3) console.log(`SKIP an off-site in a bucket: ${s3.skipped}`);
else {
  const { endpoint, bucket } = s3;
  const at = (prefix: string) => s3Offsite({ bucket, prefix, endpoint }, PART);
  const test = offsiteContract('in a bucket', async () => at('prod/'), 3 * PART + 17, s3.stop);

  test('another prefix is another off-site', async ({ folder }) => {
    const archive = await archiveIn(folder, 1_000);
    await at('other/').upload(archive, false, signal);
    assert.equal(
      (await at('other/').list(signal)).map(({ name }) => name),
      [archive.name],
    );
    assert.ok((await at('prod/').list(signal)).every(({ name }) => name !== archive.name));
  });

  test('a bucket that is not there, and a key that is wrong, are named', async ({ folder }) => {
    const none = s3Offsite({ bucket: 'no-such-bucket', prefix: '', endpoint });
    assert.match(
      String(await none.list(signal).catch((error: Error) => error.message)),
      /s3:\/\/no-such-bucket.*NoSuchBucket/,
    );
    const secret = process.env.AWS_SECRET_ACCESS_KEY;
    process.env.AWS_SECRET_ACCESS_KEY = 'another';
    const wrong = at('prod/');
    const failed = await wrong
      .upload(await archiveIn(folder, 10), false, signal)
      .catch((error: Error) => error.message);
    process.env.AWS_SECRET_ACCESS_KEY = secret;
    assert.match(String(failed), /SignatureDoesNotMatch|AccessDenied/);
  });

  test('a removed file goes with all its versions, and whoever may not do so says so', async ({ folder }) => {
    const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1' });
    const versioned = { Bucket: 'versioned' };
    try {
      await client.send(new CreateBucketCommand(versioned));
      await client.send(
        new PutBucketVersioningCommand({ ...versioned, VersioningConfiguration: { Status: 'Enabled' } }),
      );
      const files = s3Bucket({ bucket: 'versioned', prefix: 'old/', endpoint });
      const { path } = await archiveIn(folder, 10);
      for (const name of ['a', 'a', 'a.json']) await files.upload(name, path, '', signal);
      const left = async () => {
        const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand(versioned));
        return [...Versions, ...DeleteMarkers].map(({ Key }) => Key);
      };
      assert.equal((await left()).sort(), ['old/a', 'old/a', 'old/a.json']);
      assert.is(await files.remove('a', signal), undefined);
      assert.equal(await left(), ['old/a.json'], 'and no other file');
      assert.is(await files.remove('a', signal), undefined, 'nothing is there');
    } finally {
      client.destroy();
    }
    const server = createServer(({ method, url = '' }, reply) => {
      const isRefused = url.includes('versions') || method === 'GET';
      reply.writeHead(isRefused ? 403 : 204, { 'content-type': 'application/xml' });
      reply.end(isRefused ? '<Error><Code>AccessDenied</Code><Message>no</Message></Error>' : '');
    }).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const guarded = s3Bucket({ bucket: 'guarded', prefix: '', endpoint: `http://127.0.0.1:${port}` });
      assert.match(
        String(await guarded.remove('a', signal)),
        /^old versions of a may be left in s3:..guarded .AccessDenied/,
      );
    } finally {
      server.close();
    }
  });

  test.run();
}
