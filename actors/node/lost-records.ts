/** Records that were acknowledged are gone: nothing may be served over the gap. The message names it. */
export class LostRecords extends Error {
  override name = 'LostRecords';
}
