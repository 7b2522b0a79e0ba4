-- People: employees, whom a clock's user is, and the punches.
-- Creates only; locks nothing that exists. Read by the Pointages and Employés pages.

create table employees (
    company_id uuid not null references companies (company_id),
    employee_id uuid not null,
    name text not null constraint employee_name_given check (length(trim(name)) between 1 and 80),
    job text not null default '',
    active boolean not null default true,
    created_at timestamptz not null default now(),
    primary key (company_id, employee_id),
    constraint employee_name_unique unique (company_id, name)
);
call fournil_protect('employees');

-- Whom a user of a clock is. Without a row the punch is nobody's: never a guess.
create table clock_users (
    company_id uuid not null,
    clock_serial text not null,
    user_id text not null,
    employee_id uuid not null,
    assigned_at timestamptz not null default now(),
    assigned_by text not null,
    primary key (company_id, clock_serial, user_id),
    foreign key (company_id, employee_id) references employees (company_id, employee_id)
);
create index clock_users_by_employee on clock_users (company_id, employee_id);
call fournil_protect('clock_users');

-- What a clock recorded, as it recorded it. The key is the punch's identity: reading a clock
-- again yields the same rows.
create table punches (
    company_id uuid not null references companies (company_id),
    clock_serial text not null,
    user_id text not null,
    -- The clock's wall time, `YYYY-MM-DDTHH:MM:SS`; may be a date that does not exist.
    local_time text not null,
    state bigint not null,
    verify bigint not null,
    occurrence bigint not null,
    -- Order of arrival within the company: given under a lock, so it is the order of commits.
    punch_no bigint generated always as identity,
    zone text not null,
    instant timestamptz,
    business_date date,
    raw bytea not null,
    layout text not null,
    source text not null constraint punch_source_known
        check (source in ('unknown', 'poll', 'live', 'push')),
    anomalies text[] not null,
    gateway_id uuid,
    -- When the gateway wrote it down, by its own clock set right by the measured offset.
    recorded_at timestamptz,
    received_at timestamptz not null default clock_timestamp(),
    primary key (company_id, clock_serial, user_id, local_time, state, verify, occurrence),
    constraint punch_number_unique unique (company_id, punch_no),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id)
);
create index punches_by_day on punches (company_id, business_date, punch_no desc);
create index punches_by_gateway on punches (company_id, gateway_id);
call fournil_protect('punches');
call fournil_append_only('punches');
