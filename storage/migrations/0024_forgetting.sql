-- A node may rewrite the events of forgotten orders. Its right to do so is given after this migration (grants.sql).
comment on column order_turns.events is 'As the journal had them; without personal data once the order is forgotten.';
