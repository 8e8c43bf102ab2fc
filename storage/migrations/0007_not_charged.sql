-- Orders that ended before any provider could have been asked for money waited for it ever after, by their word.
update orders set payment_status = 'not_charged'
where payment_status = 'pending' and status in ('failed', 'cancelled') and coalesce(state ->> 'voidOwed', 'false') = 'false';
