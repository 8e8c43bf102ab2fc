/**
 * The gate of every flush statement (snapshot-rows.R3): it locks its journal's row first, and writes nothing when the
 * row is closed or missing. Closing the row waits for the statements that hold it.
 */

/** The statement's first parameter is the journal. */
export const GATE = 'gate as materialized (select 1 from journals where journal = $1 and not closed for share)';

export const IF_OPEN = 'exists (select from gate)';
