-- Clocks: what each attendance clock is, whom it knows, what was done to it; and the commands
-- that concern it. Reads `commands` and `punches` once (checking the wider rules, counting the
-- numbers seen so far) and keeps writers of both out meanwhile: seconds for a million punches.
-- Read by the Pointeuses, Pointages and Employés pages.

alter table commands drop constraint command_kind_known;
alter table commands add constraint command_kind_known
    check (kind in ('print', 'drawer', 'read_clock', 'read_status', 'cancel', 'diagnostics',
        'set_clock_time', 'write_clock_users', 'clear_clock_log'));
alter table commands drop constraint command_policy_of_kind;
alter table commands add constraint command_policy_of_kind check (
    case kind
        when 'print' then policy = 'ask'
        when 'drawer' then policy = 'at_most_once'
        when 'clear_clock_log' then policy = 'at_most_once'
        when 'read_clock' then policy = 'repeatable'
        when 'read_status' then policy = 'repeatable'
        when 'cancel' then policy = 'repeatable'
        when 'diagnostics' then policy = 'repeatable'
        when 'set_clock_time' then policy = 'repeatable'
        when 'write_clock_users' then policy = 'repeatable'
        else true
    end);
create index commands_by_device on commands (company_id, gateway_id, device, queue_no desc);

-- The newest word on a clock. What it said before is not kept: punches and operations are.
create table clocks (
    company_id uuid not null references companies (company_id),
    clock_serial text not null,
    gateway_id uuid not null,
    -- Its name in that gateway's configuration.
    device text not null default '',
    model text not null default '',
    platform text not null default '',
    firmware text not null default '',
    zone text not null default '',
    layout text not null default '',
    link text not null default 'unknown' constraint clock_link_known
        check (link in ('unknown', 'tcp', 'udp', 'push')),
    address text not null default '',
    pin_width bigint not null default 0,
    users bigint not null default 0,
    users_capacity bigint not null default 0,
    records bigint not null default 0,
    records_capacity bigint not null default 0,
    operations bigint not null default 0,
    drift_ms bigint,
    heard_at timestamptz,
    whole_read_at timestamptz,
    whole_read_records bigint not null default 0,
    -- When the table of users that is stored whole was read.
    users_read_at timestamptz,
    first_seen_at timestamptz not null default now(),
    primary key (company_id, clock_serial),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
create index clocks_by_gateway on clocks (company_id, gateway_id, device);
call fournil_protect('clocks');

-- A clock's own table of users, by slot.
create table clock_device_users (
    company_id uuid not null,
    clock_serial text not null,
    slot bigint not null,
    user_id text not null,
    name text not null,
    privilege bigint not null,
    card bigint not null,
    is_name_garbled boolean not null,
    read_at timestamptz not null,
    primary key (company_id, clock_serial, slot),
    foreign key (company_id, clock_serial) references clocks (company_id, clock_serial)
);
call fournil_protect('clock_device_users');

-- Parts of a table that is not whole yet.
create table clock_user_parts (
    company_id uuid not null,
    clock_serial text not null,
    read_at timestamptz not null,
    part bigint not null,
    primary key (company_id, clock_serial, read_at, part),
    foreign key (company_id, clock_serial) references clocks (company_id, clock_serial)
);
call fournil_protect('clock_user_parts');

-- What was done to a clock, as its own log has it.
create table clock_operations (
    company_id uuid not null references companies (company_id),
    clock_serial text not null,
    local_time text not null,
    operation bigint not null,
    admin text not null,
    parameters text[] not null,
    occurrence bigint not null,
    operation_no bigint generated always as identity,
    zone text not null,
    instant timestamptz,
    raw bytea not null,
    gateway_id uuid not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (company_id, clock_serial, local_time, operation, admin, parameters, occurrence),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
create index clock_operations_newest on clock_operations (company_id, clock_serial, operation_no desc);
create index clock_operations_by_gateway on clock_operations (company_id, gateway_id);
call fournil_protect('clock_operations');
call fournil_append_only('clock_operations');

-- Numbers that ever punched, so that those without an employee are found without a walk over
-- all punches. Kept by the transaction that stores a punch.
create table clock_numbers (
    company_id uuid not null references companies (company_id),
    clock_serial text not null,
    user_id text not null,
    punches bigint not null constraint clock_number_counted check (punches > 0),
    last_local_time text not null,
    primary key (company_id, clock_serial, user_id)
);
call fournil_protect('clock_numbers');
insert into clock_numbers (company_id, clock_serial, user_id, punches, last_local_time)
select company_id, clock_serial, user_id, count(*), max(local_time)
from punches
group by company_id, clock_serial, user_id;

-- Who somebody is on the clocks.
alter table employees
    add column clock_user_id text constraint employee_clock_number_form
        check (clock_user_id ~ '^[0-9A-Za-z]{1,23}$'),
    add column card bigint constraint employee_card_range check (card between 1 and 4294967295);
create unique index employee_clock_number_unique on employees (company_id, clock_user_id)
    where clock_user_id is not null;
