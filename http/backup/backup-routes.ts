/**
 * Backups over HTTP: an operator looks at them, and asks for one.
 *
 * Law: a request that is asked for twice joins what runs. A client that has waited long enough hears 202, and the work goes on.
 */
import type { Clock } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import type { ApiRequest } from '../api/api-request.js';
import { Failure, unavailable } from '../api/failure.js';
import { type Answer, success } from '../api/reply.js';
import { withDeadline } from '../wire/deadline.js';

/** What the edge needs for backups. Each rejects with a sentence. */
export interface BackupDesk {
  status(): Promise<BackupView>;
  /** Takes a dump now, or waits for the one that is under way. */
  dump(): Promise<void>;
  /** @param bypass also where today's upload was made */
  upload(bypass: boolean): Promise<UploadOutcome>;
}

/** `used`: today's upload was made, and the next may be made in so many seconds. */
type UploadOutcome = { readonly kind: 'uploaded' | 'nothing' } | { readonly kind: 'used'; readonly afterS: number };

/** In the form of the reply. */
export interface BackupView {
  readonly role: 'running' | 'elsewhere' | 'failing';
  readonly why?: string;
  readonly folder: string;
  readonly offsite: string | null;
  readonly last_dump: object | null;
  readonly last_archive: object | null;
  readonly last_upload: object | null;
  readonly next: {
    readonly dump_at: string | null;
    readonly archive_at: string | null;
    readonly upload_at: string | null;
  };
  readonly running: readonly string[];
  readonly waiting: readonly string[];
  readonly dumps: number;
  readonly archives: number;
  readonly errors: readonly object[];
  readonly unsaved: { readonly orders: number; readonly since: string } | null;
  readonly rpo_seconds: number | null;
  readonly rto_seconds: number | null;
}

/** Below the silence after which a connection is cut. */
const WAIT_MS = 25_000;
const NOTHING = 'There is nothing to upload: every archive is off-site, and there is no newer dump.';

export class BackupRoutes {
  constructor(
    private readonly desk: BackupDesk,
    private readonly clock: Clock,
  ) {}

  status = async (): Promise<Answer> => success(200, JSON.stringify(await this.desk.status()));

  dump = async (): Promise<Answer> => {
    const work = async () => {
      await this.desk.dump();
      return this.answer(200, 'A dump was taken, restored and verified');
    };
    return this.within('dump', work);
  };

  upload = async ({ req }: ApiRequest): Promise<Answer> => {
    const isBypassed = String(req.headers['x-bypass-rate-limit'] ?? '').toLowerCase() === 'true';
    const work = async () => {
      const outcome = await this.desk.upload(isBypassed);
      if (outcome.kind === 'used') throw dayUsed(outcome.afterS);
      return this.answer(200, outcome.kind === 'nothing' ? NOTHING : 'The newest archive is off-site');
    };
    return this.within('upload', work);
  };

  // -------------------------------------------------------------- machinery

  private within(what: string, work: () => Promise<Answer>): Promise<Answer> {
    const told = async () => {
      try {
        return await work();
      } catch (error) {
        if (error instanceof Failure || error instanceof Unavailable) throw error;
        const why = error instanceof Error ? error.message : String(error);
        throw unavailable(`The ${what} has failed: ${why}. It is tried again by itself.`, {}, error);
      }
    };
    const late = () => this.answer(202, `The ${what} goes on: GET /api/backup/status tells how it ends`);
    return withDeadline(this.clock, WAIT_MS, told, late);
  }

  private async answer(status: number, message: string): Promise<Answer> {
    return success(status, JSON.stringify(await this.desk.status()), message);
  }
}

function dayUsed(afterS: number): Failure {
  const message = "Today's upload was made. With X-Bypass-Rate-Limit: true a second one is asked for.";
  return new Failure(429, 'rate_limited', message, {
    headers: ['Retry-After', String(Math.max(1, Math.ceil(afterS)))],
  });
}
