-- The mock payment provider's ledger for the whole life of an order, with amounts and partial refunds. The effects:
--
--   authorized | declined  one decision per order; a void that arrives first is recorded as declined
--   captured | voided      one end per order; `returned` counts the refunded part of a capture
--   refunded | refused     one per ref; refused: a capture or refund that was declined for good

alter table payment_effects
  add ref text collate "C",
  add minor bigint not null default 0 check (minor >= 0),
  add currency text not null default '',
  add returned bigint not null default 0;

-- A captured payment cannot also be voided: the void goes.
delete from payment_effects v where effect = 'voided'
  and exists (select from payment_effects c where c.order_id = v.order_id and c.effect = 'captured');

update payment_effects set ref = order_id || ':' ||
  case effect when 'captured' then 'capture' when 'voided' then 'void' else 'authorize' end;

update payment_effects e set currency = o.currency, minor = o.total_amount * case
    when o.currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV',
      'XAF', 'XOF', 'XPF') then 1
    when o.currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 1000
    when o.currency in ('CLF', 'UYW') then 10000
    else 100 end
  from orders o where o.order_id = e.order_id and o.total_amount is not null and o.currency is not null;

alter table payment_effects
  alter ref set not null,
  alter minor drop default,
  alter currency drop default,
  add constraint payment_effects_returned check (returned between 0 and case effect when 'captured' then minor else 0 end),
  drop constraint payment_effects_order_id_effect_key;

create unique index payment_effects_end on payment_effects (order_id) where effect in ('captured', 'voided');
create unique index payment_effects_ref on payment_effects (order_id, ref) where effect in ('refunded', 'refused');

create function payment_perform(of_order text, operation text, own_ref text, amount bigint, in_currency text, decision text)
returns text language plpgsql as $$
declare
  decided text;
  ended text;
  told text;
begin
  -- One call at a time for an order: each statement below sees what the call before it left.
  perform pg_advisory_xact_lock(6, hashtext(of_order));
  select effect into decided from payment_effects where order_id = of_order and effect in ('authorized', 'declined');
  select effect into ended from payment_effects where order_id = of_order and effect in ('captured', 'voided');
  select effect into told from payment_effects where order_id = of_order and ref = own_ref and effect in ('refunded', 'refused');

  if operation = 'authorize' then
    if ended = 'voided' then return 'declined'; end if;
    if decided is not null then return decided; end if;
    told := decision;
  elsif operation = 'capture' then
    if ended is not null then return ended; end if;
    if told is not null then return 'declined'; end if;
    told := case decided when 'authorized' then 'captured' else 'refused' end;
  elsif operation = 'void' then
    if ended is not null then return ended; end if;
    if decided is null then
      insert into payment_effects (order_id, effect, ref, minor, currency)
        values (of_order, 'declined', own_ref, amount, in_currency);
    end if;
    told := 'voided';
  elsif operation = 'refund' then
    if told is null then
      update payment_effects set returned = returned + amount
        where order_id = of_order and effect = 'captured' and currency = in_currency and returned + amount <= minor;
      told := case when found then 'refunded' else 'refused' end;
    else
      return case told when 'refunded' then 'refunded' else 'declined' end;
    end if;
  else
    raise exception 'no payment operation is called %', operation;
  end if;

  insert into payment_effects (order_id, effect, ref, minor, currency)
    values (of_order, told, own_ref, amount, in_currency);
  return case told when 'refused' then 'declined' else told end;
end $$;
