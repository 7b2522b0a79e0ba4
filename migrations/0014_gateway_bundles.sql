-- Diagnostics that gateways send up in chunks when a person asks for them: what has arrived,
-- and of the complete ones the newest few.
-- Reads `commands` once to check the wider rule, and keeps writers out meanwhile; seconds at
-- most. Read by the tunnel sessions and the Passerelles pages.

alter table commands drop constraint command_kind_known;
alter table commands add constraint command_kind_known
    check (kind in ('print', 'drawer', 'read_clock', 'read_status', 'cancel', 'diagnostics'));
create index commands_diagnostics on commands (company_id, gateway_id, queue_no desc)
    where kind = 'diagnostics';

create table gateway_bundles (
    company_id uuid not null,
    gateway_id uuid not null,
    -- The command that asked for it.
    command_id uuid not null,
    total_bytes bigint not null
        constraint bundle_size check (total_bytes between 1 and 8388608),
    -- SHA-256 of the whole, as it was offered.
    sha256 bytea not null constraint bundle_digest_length check (length(sha256) = 32),
    -- Stored, from the first byte on and without a gap.
    received_bytes bigint not null default 0,
    offered_at timestamptz not null default now(),
    -- Whole, and its digest was right.
    completed_at timestamptz,
    primary key (company_id, gateway_id, command_id),
    constraint bundle_received_within check (received_bytes between 0 and total_bytes),
    constraint bundle_complete_whole check (completed_at is null or received_bytes = total_bytes),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id),
    foreign key (company_id, command_id) references commands (company_id, command_id)
);
create index gateway_bundles_by_command on gateway_bundles (company_id, command_id);
call fournil_protect('gateway_bundles');

create table gateway_bundle_parts (
    company_id uuid not null,
    gateway_id uuid not null,
    command_id uuid not null,
    first_byte bigint not null,
    part bytea not null constraint bundle_part_length check (length(part) between 1 and 16384),
    primary key (company_id, gateway_id, command_id, first_byte),
    foreign key (company_id, gateway_id, command_id)
        references gateway_bundles (company_id, gateway_id, command_id) on delete cascade
);
call fournil_protect('gateway_bundle_parts');
