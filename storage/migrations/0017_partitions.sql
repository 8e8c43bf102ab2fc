-- Each product and each unsettled order names its partition, so that a node loads the rows of its own partitions only.

-- FNV-1a of actors/ids.ts, over UTF-16 code units. It reads UTF-8 itself, because a database may have no encoding (SQL_ASCII).
create function partition_hash(content text) returns bigint language plpgsql immutable as $$
declare
  bytes bytea := convert_to(content, 'UTF8');
  place integer := 0;
  hash bigint := 2166136261;
  point integer;
  more integer;
  units integer[];
  unit integer;
begin
  while place < length(bytes) loop
    point := get_byte(bytes, place);
    place := place + 1;
    if point < 128 then
      hash := ((hash # point) * 16777619) & 4294967295;
      continue;
    end if;
    more := case when point >= 240 then 3 when point >= 224 then 2 else 1 end;
    point := point & (63 >> more);
    for i in 1..more loop
      point := (point << 6) | (get_byte(bytes, place) & 63);
      place := place + 1;
    end loop;
    units := case when point < 65536 then array[point]
      else array[55296 + ((point - 65536) >> 10), 56320 + ((point - 65536) & 1023)] end;
    foreach unit in array units loop
      hash := ((hash # (unit & 255)) * 16777619) & 4294967295;
      if unit > 255 then hash := ((hash # (unit >> 8)) * 16777619) & 4294967295; end if;
    end loop;
  end loop;
  return hash;
end $$;

alter table products add column partition smallint;
update products set partition = partition_hash('product/' || product_id) % partitions from settlement;
alter table products alter column partition set not null;
create index products_partition on products (partition, product_id);

-- A settled order of an older version gets its partition when it changes again. Until then nobody loads it.
alter table orders add column partition smallint;
update orders set partition = partition_hash('order/' || order_id) % partitions from settlement where state is not null;
alter table orders add constraint orders_partition check (state is null or partition is not null);
drop index orders_unsettled;
create index orders_unsettled on orders (partition, order_id) where state is not null;

drop function partition_hash(text);
