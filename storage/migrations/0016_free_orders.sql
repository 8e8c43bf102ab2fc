-- Earlier versions also paid orders that cost nothing. Once such an order is cancelled, nothing was charged.
update orders set payment_status = case when coalesce(state ->> 'voidOwed', 'false') = 'true' then 'pending' else 'not_charged' end
where status = 'cancelled' and total_amount = 0 and payment_status in ('paid', 'authorized', 'voided');
