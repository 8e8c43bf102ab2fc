/** Acknowledged records are missing: the node must not serve over the gap. The message names the gap. */
export class LostRecords extends Error {
  override name = 'LostRecords';
}
