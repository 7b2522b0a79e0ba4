-- Gateways: the shops' boxes, their keys, codes, sessions and where each log stands.
-- Creates only; locks nothing that exists. Read by every tunnel session and the Passerelles pages.

-- Secrets made by the database itself, so that every node has the same without configuration.
-- The application cannot read the table; one function per use gives it what it needs.
create table server_secrets (
    name text primary key,
    secret bytea not null
);
insert into server_secrets (name, secret)
values ('enrolment', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

create table gateways (
    company_id uuid not null references companies (company_id),
    gateway_id uuid not null,
    store_id uuid not null,
    name text not null constraint gateway_name_given check (length(trim(name)) between 1 and 80),
    -- `new` until a machine redeemed a code.
    state text not null default 'new'
        constraint gateway_state_known check (state in ('new', 'active', 'revoked')),
    -- `read_only`: a clone is suspected; events go to quarantine, no command is sent.
    mode text not null default 'normal'
        constraint gateway_mode_known check (mode in ('normal', 'read_only')),
    mode_reason text not null default '',
    -- A person enrolled or cleared it since its last Hello: that one is believed as it stands.
    trusted boolean not null default false,
    software text not null default '',
    hostname text not null default '',
    -- One more with each accepted Hello; fences leases.
    generation bigint not null default 0,
    -- What the newest Hello said, to catch copies of one disk.
    incarnation bigint not null default 0,
    boot_id bytea not null default '',
    head_epoch bigint not null default 0,
    head_seq bigint not null default 0,
    head_hash bytea not null default '',
    -- The down log: random epoch (0 until the first session), next sequence to give.
    down_epoch bigint not null default 0,
    down_next bigint not null default 1 constraint gateway_down_next_positive check (down_next >= 1),
    down_durable bigint not null default 0
        constraint gateway_down_durable_given check (down_durable >= 0 and down_durable < down_next),
    created_at timestamptz not null default now(),
    enrolled_at timestamptz,
    revoked_at timestamptz,
    primary key (company_id, gateway_id),
    constraint gateway_id_unique unique (gateway_id),
    constraint gateway_name_unique unique (company_id, name),
    foreign key (company_id, store_id) references stores (company_id, store_id)
);
create index gateways_by_store on gateways (company_id, store_id);
call fournil_protect('gateways');

create table gateway_keys (
    company_id uuid not null,
    gateway_id uuid not null,
    public_key bytea not null constraint gateway_key_length check (length(public_key) = 32),
    -- Four words of the key's SHA-256, for people to compare.
    fingerprint text not null,
    state text not null default 'active'
        constraint gateway_key_state_known check (state in ('active', 'revoked')),
    added_at timestamptz not null default now(),
    revoked_at timestamptz,
    primary key (company_id, gateway_id, public_key),
    -- One key names one box, in all companies.
    constraint gateway_key_unique unique (public_key),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
call fournil_protect('gateway_keys');

create table enrolment_codes (
    company_id uuid not null,
    code_id uuid not null,
    gateway_id uuid not null,
    -- The first letters, in the clear: a wrong guess is counted on the code it aimed at.
    locator text not null constraint enrolment_locator_shape check (length(locator) = 3),
    -- HMAC-SHA-256 of the whole code.
    code_mac bytea not null constraint enrolment_mac_length check (length(code_mac) = 32),
    tries integer not null default 0,
    created_at timestamptz not null default now(),
    created_by text not null,
    expires_at timestamptz not null,
    redeemed_at timestamptz,
    -- The key that redeemed it: the same machine asking again gets the same answer.
    redeemed_by bytea,
    primary key (company_id, code_id),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
create index enrolment_codes_by_locator on enrolment_codes (locator, expires_at);
create index enrolment_codes_by_gateway on enrolment_codes (company_id, gateway_id);
call fournil_protect('enrolment_codes');

-- One row per session ever held; written when it begins and when it ends, never between.
create table gateway_sessions (
    company_id uuid not null,
    gateway_id uuid not null,
    generation bigint not null,
    node text not null,
    peer text not null,
    since timestamptz not null,
    -- When something was last heard; known once the session has ended.
    heard_at timestamptz,
    ended_at timestamptz,
    close_code integer,
    close_reason text not null default '',
    primary key (company_id, gateway_id, generation),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
create index gateway_sessions_open on gateway_sessions (node) where ended_at is null;
call fournil_protect('gateway_sessions');

-- Liveness is per node: one row each, refreshed every few seconds, so that a session of a
-- node that died is known to be dead without a write per gateway.
create table gateway_nodes (
    node text primary key,
    heartbeat_at timestamptz not null
);
grant select on gateway_nodes to fournil_app;

-- The up log: one row per gateway and epoch. Locked by the transaction that takes events in,
-- it alone decides what is new, exactly and for ever.
create table gateway_up (
    company_id uuid not null,
    gateway_id uuid not null,
    epoch bigint not null,
    durable bigint not null default 0 constraint gateway_up_durable_given check (durable >= 0),
    opened_at timestamptz not null default now(),
    advanced_at timestamptz,
    -- Set when the gateway came back with a new journal.
    closed_at timestamptz,
    primary key (company_id, gateway_id, epoch),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
-- One log is followed at a time.
create unique index gateway_up_open on gateway_up (company_id, gateway_id) where closed_at is null;
call fournil_protect('gateway_up');

-- How the devices of a shop fare: the newest word on each.
create table device_health (
    company_id uuid not null,
    gateway_id uuid not null,
    device text not null,
    kind text not null constraint device_kind_known check (kind in ('clock', 'printer', 'unknown')),
    state text not null
        constraint device_state_known check (state in ('ok', 'warning', 'down', 'unknown')),
    code text not null,
    detail text not null,
    serial text not null,
    drift_ms bigint,
    records bigint not null default 0,
    records_capacity bigint not null default 0,
    told_at timestamptz not null,
    primary key (company_id, gateway_id, device),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
call fournil_protect('device_health');

-- The box itself: the newest word.
create table gateway_health (
    company_id uuid not null,
    gateway_id uuid not null,
    journal_pending bigint not null,
    journal_bytes bigint not null,
    disk_free_bytes bigint not null,
    uptime_s bigint not null,
    resident_bytes bigint not null,
    software text not null,
    told_at timestamptz not null,
    primary key (company_id, gateway_id),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
call fournil_protect('gateway_health');

create table gateway_notices (
    company_id uuid not null,
    notice_id bigint generated always as identity,
    gateway_id uuid not null,
    -- `gateway`: the box said it. `cloud`: this side found it.
    origin text not null constraint notice_origin_known check (origin in ('gateway', 'cloud')),
    severity text not null
        constraint notice_severity_known check (severity in ('info', 'warning', 'alarm')),
    code text not null,
    detail text not null,
    device text not null default '',
    at timestamptz not null default clock_timestamp(),
    primary key (company_id, notice_id),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
create index gateway_notices_by_gateway on gateway_notices (company_id, gateway_id, notice_id desc);
call fournil_protect('gateway_notices');
call fournil_append_only('gateway_notices');

-- Events this build cannot read or store, kept as they came: newer kinds, and what a fault of
-- ours refused. Nothing that was acknowledged is ever lost.
create table gateway_unread_events (
    company_id uuid not null,
    gateway_id uuid not null,
    epoch bigint not null,
    seq bigint not null,
    event bytea not null,
    reason text not null,
    received_at timestamptz not null default now(),
    primary key (company_id, gateway_id, epoch, seq),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
call fournil_protect('gateway_unread_events');
call fournil_append_only('gateway_unread_events');

-- What a suspected clone sent. Not acknowledged: the true box sends it again once cleared.
create table gateway_quarantine (
    company_id uuid not null,
    gateway_id uuid not null,
    epoch bigint not null,
    seq bigint not null,
    -- Two copies of one disk may send different events under one number.
    event_digest bytea not null,
    event bytea not null,
    generation bigint not null,
    received_at timestamptz not null default now(),
    primary key (company_id, gateway_id, epoch, seq, event_digest),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
call fournil_protect('gateway_quarantine');
