/** The off-site in a bucket, on a real server: parts, read back, listed under its prefix alone. */
import * as assert from 'uvu/assert';
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

  test.run();
}
