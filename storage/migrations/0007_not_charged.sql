-- Orders that ended before a provider could have been asked for money kept the status `pending`. It is `not_charged` now.
update orders set payment_status = 'not_charged'
where payment_status = 'pending' and status in ('failed', 'cancelled') and coalesce(state ->> 'voidOwed', 'false') = 'false';
