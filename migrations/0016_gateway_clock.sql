-- How far the clock of a shop's box is from ours, as the box measured it when it last told of
-- its health: our time minus its time. Null until it has measured. Adds one nullable column
-- without a default, so it holds the table's lock for a moment only. Read by the Passerelles
-- pages, which warn from two seconds and alarm from a minute on.
alter table gateway_health add column clock_offset_ms bigint;
