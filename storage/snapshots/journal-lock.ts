/**
 * The door every flush statement passes (snapshot-rows.R3): it locks its journal's row first, and a statement
 * that finds the row closed or missing writes nothing. Whoever closes the row waits for those inside.
 */

/** First parameter: the journal. */
export const GATE = 'gate as materialized (select 1 from journals where journal = $1 and not closed for share)';

export const IF_OPEN = 'exists (select from gate)';
