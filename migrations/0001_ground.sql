-- Ground: the application's role, tenancy, companies and shops, idempotency, audit.
-- Creates only; locks nothing that exists. Read by everything.

do $$
begin
    if not exists (select from pg_roles where rolname = 'fournil_app') then
        create role fournil_app nologin;
    end if;
exception
    -- Two databases of one cluster may be migrated at the same moment.
    when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
    execute format('grant fournil_app to %I', current_user);
exception
    -- A superuser needs no grant, and two grants at once are one grant.
    when others then
        if not (select rolsuper from pg_roles where rolname = current_user) then raise; end if;
end
$$;

grant usage on schema public to fournil_app;

-- The company of the current transaction; null when none is set, which matches no row.
create function fournil_company() returns uuid
language sql stable parallel safe
as $$ select nullif(current_setting('fournil.company_id', true), '')::uuid $$;

-- Puts the second wall around a business table and opens it to the application.
create procedure fournil_protect(target regclass)
language plpgsql
as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format(
        'create policy company_only on %s to fournil_app
             using (company_id = fournil_company()) with check (company_id = fournil_company())',
        target);
    execute format('grant select, insert, update, delete on %s to fournil_app', target);
end
$$;

create function fournil_refuse_change() returns trigger
language plpgsql
as $$
begin
    raise exception 'table % is append-only: correct by a reversing row', tg_table_name
        using errcode = 'restrict_violation';
end
$$;

-- Makes a ledger: rows may be added, never changed.
create procedure fournil_append_only(target regclass)
language plpgsql
as $$
begin
    execute format(
        'create trigger append_only before update or delete on %s
             for each row execute function fournil_refuse_change()', target);
    execute format(
        'create trigger append_only_truncate before truncate on %s
             for each statement execute function fournil_refuse_change()', target);
    execute format('revoke update, delete, truncate on %s from fournil_app', target);
end
$$;

create table companies (
    company_id uuid primary key,
    name text not null constraint company_name_given check (length(trim(name)) between 1 and 120),
    -- Printed under the name on receipts; one line each.
    address text not null default '',
    legal_ids text not null default '',
    receipt_footer text not null default '',
    currency text not null default 'DZD' constraint company_currency_iso check (currency ~ '^[A-Z]{3}$'),
    language text not null default 'fr' constraint company_language_known check (language in ('fr', 'ar', 'en')),
    created_at timestamptz not null default now()
);
call fournil_protect('companies');

create table stores (
    company_id uuid not null references companies (company_id),
    store_id uuid not null,
    name text not null constraint store_name_given check (length(trim(name)) between 1 and 80),
    -- IANA name; business dates of this shop are computed in it.
    zone text not null default 'Africa/Algiers',
    created_at timestamptz not null default now(),
    primary key (company_id, store_id),
    constraint store_name_unique unique (company_id, name)
);
call fournil_protect('stores');

-- One row per business act asked for with a key: the second asking gets the first answer.
create table idempotency_keys (
    company_id uuid not null references companies (company_id),
    key uuid not null,
    act text not null,
    -- SHA-256 of the input: the same key with other content is a fault of the caller.
    input_digest bytea not null,
    answer jsonb,
    created_at timestamptz not null default now(),
    primary key (company_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
call fournil_protect('idempotency_keys');

-- Human numbers without gaps: the row is locked by the transaction that issues the document.
create table document_series (
    company_id uuid not null references companies (company_id),
    series text not null,
    year integer not null,
    last_number bigint not null default 0,
    primary key (company_id, series, year)
);
call fournil_protect('document_series');

-- Who did what. Details hold ids and figures, never secrets.
create table audit_log (
    company_id uuid not null references companies (company_id),
    audit_id bigint generated always as identity,
    at timestamptz not null default clock_timestamp(),
    actor_kind text not null constraint audit_actor_known check (actor_kind in ('user', 'gateway', 'system')),
    actor_id uuid,
    actor_label text not null,
    act text not null,
    subject_kind text not null default '',
    subject_id text not null default '',
    details jsonb not null default '{}',
    primary key (company_id, audit_id)
);
create index audit_log_by_act on audit_log (company_id, act, audit_id desc);
create index audit_log_by_subject on audit_log (company_id, subject_kind, subject_id, audit_id desc);
call fournil_protect('audit_log');
call fournil_append_only('audit_log');
