/** Acknowledged records are missing: the node must not serve over the gap. The message names the gap. */
export class LostRecords extends Error {
  override name = 'LostRecords';

  /** @param gap what is missing, as a sentence without its full stop. */
  constructor(gap: string) {
    super(
      `${gap}. Put the newest journal back (the folder nats of DATA_DIR, or your broker's store), or restore the journal and the database from the same backup.`,
    );
  }
}
