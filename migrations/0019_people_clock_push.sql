-- Clocks that call the cloud by themselves, without a gateway: which may, how far they were
-- heard, what is asked of them. Creates; and drops two `not null`, which needs the table's lock
-- for a moment and no scan. Read by /iclock and by the page "Pointeuses sans passerelle".

alter table clocks alter column gateway_id drop not null;
alter table clock_operations alter column gateway_id drop not null;

create table push_clocks (
    company_id uuid not null references companies (company_id),
    clock_serial text not null
        constraint push_serial_form check (clock_serial ~ '^[0-9A-Za-z]{6,32}$'),
    label text not null constraint push_label_given check (length(trim(label)) between 1 and 80),
    -- IANA name of the zone it hangs in.
    zone text not null,
    -- HMAC of the key it must bring when it says hello; none: its number is enough.
    key_mac bytea,
    is_allowed boolean not null default true,
    allowed_at timestamptz not null default now(),
    allowed_by text not null,
    -- Where its last good hello came from: with a key, nothing from elsewhere is taken.
    greeted_from text,
    greeted_at timestamptz,
    -- Its own marks of what was taken; `0` asks for all it has.
    punches_mark text not null default '0',
    operations_mark text not null default '0',
    heard_at timestamptz,
    heard_from text,
    firmware text not null default '',
    -- Why it was last sent away, a machine word.
    refused text,
    refused_at timestamptz,
    primary key (company_id, clock_serial),
    constraint push_refusal_whole check ((refused is null) = (refused_at is null)),
    constraint push_greeting_whole check ((greeted_from is null) = (greeted_at is null))
);
-- A number says whose clock it is before anything else is known.
create unique index push_clock_of_one_company on push_clocks (clock_serial) where is_allowed;
call fournil_protect('push_clocks');

-- What is asked of such a clock. All kinds may be done twice without harm.
create table push_commands (
    company_id uuid not null,
    clock_serial text not null,
    command_no bigint generated always as identity,
    kind text not null constraint push_kind_known
        check (kind in ('read-punches', 'read-users', 'information')),
    -- The clock's own time, `YYYY-MM-DDTHH:MM:SS`.
    from_local text,
    to_local text,
    state text not null default 'queued' constraint push_state_known
        check (state in ('queued', 'sent', 'done', 'failed', 'expired')),
    tries integer not null default 0 constraint push_tries_counted check (tries >= 0),
    -- What the clock answered: 0 and more is good.
    result bigint,
    asked_at timestamptz not null default now(),
    asked_by text not null,
    sent_at timestamptz,
    ended_at timestamptz,
    primary key (company_id, clock_serial, command_no),
    foreign key (company_id, clock_serial) references push_clocks (company_id, clock_serial),
    constraint push_range_given check (
        (kind = 'read-punches') = (from_local is not null and to_local is not null)),
    constraint push_range_order check (from_local <= to_local),
    constraint push_command_ends check ((state in ('done', 'failed', 'expired')) = (ended_at is not null)),
    constraint push_command_sent check (state <> 'sent' or sent_at is not null)
);
create index push_commands_newest on push_commands (company_id, command_no desc);
create index push_commands_open on push_commands (company_id, clock_serial, command_no)
    where state in ('queued', 'sent');
call fournil_protect('push_commands');

insert into server_secrets (name, secret)
values ('clock-push', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- A clock calls: whose is it, and what must it bring.
create function people_find_push_clock(wanted text)
returns table (company_id uuid, zone text, key_mac bytea, greeted_from text)
language sql stable security definer set search_path = public
as $$
    select c.company_id, c.zone, c.key_mac, c.greeted_from
    from push_clocks c
    where c.clock_serial = wanted and c.is_allowed
$$;

-- The key that such keys are hashed with.
create function people_push_secret() returns bytea
language sql stable security definer set search_path = public
as $$ select s.secret from server_secrets s where s.name = 'clock-push' $$;

revoke all on function people_find_push_clock(text), people_push_secret() from public;
grant execute on function people_find_push_clock(text), people_push_secret() to fournil_app;
