-- The books: chart of accounts (SCF), entries numbered per journal and year, balanced and chained.
-- Creates only; locks nothing that exists. Written by every act that moves money or goods.

create table accounts (
    company_id uuid not null references companies (company_id),
    code text not null constraint account_code_shape check (code ~ '^[1-9][0-9]{1,7}$'),
    name text not null,
    primary key (company_id, code)
);
call fournil_protect('accounts');

create table journal_entries (
    company_id uuid not null references companies (company_id),
    entry_id uuid not null,
    -- VT sales, AC purchases, CA cash, BQ bank, OD the rest.
    journal text not null constraint entry_journal_known
        check (journal in ('VT', 'AC', 'CA', 'BQ', 'OD')),
    year integer not null,
    number bigint not null constraint entry_number_positive check (number > 0),
    entry_date date not null,
    label text not null,
    -- The business fact behind it: one entry per fact and rule.
    source_kind text not null,
    source_id uuid not null,
    rule text not null,
    total numeric(14,2) not null constraint entry_total_positive check (total > 0),
    line_count smallint not null constraint entry_has_two_lines check (line_count >= 2),
    actor_id uuid,
    actor_label text not null,
    posted_at timestamptz not null,
    -- SHA-256 over the entry before it in the same journal and year, and over this one.
    previous_hash bytea not null constraint entry_previous_hash_length check (length(previous_hash) = 32),
    hash bytea not null constraint entry_hash_length check (length(hash) = 32),
    primary key (company_id, entry_id),
    constraint entry_number_unique unique (company_id, journal, year, number),
    constraint entry_source_unique unique (company_id, source_kind, source_id, rule),
    constraint entry_year_of_date check (extract(year from entry_date) = year)
);
create index journal_entries_by_date on journal_entries (company_id, entry_date, entry_id);
call fournil_protect('journal_entries');
call fournil_append_only('journal_entries');

create table journal_lines (
    company_id uuid not null,
    entry_id uuid not null,
    line smallint not null,
    account text not null,
    -- Whose share of a shared account: a till of 531, later a supplier of 401.
    party_kind text not null default '',
    party_id uuid,
    debit numeric(14,2) not null default 0,
    credit numeric(14,2) not null default 0,
    primary key (company_id, entry_id, line),
    foreign key (company_id, entry_id) references journal_entries (company_id, entry_id),
    foreign key (company_id, account) references accounts (company_id, code),
    constraint line_one_side check (
        (debit > 0 and credit = 0) or (credit > 0 and debit = 0)),
    constraint line_party_whole check ((party_kind = '') = (party_id is null))
);
create index journal_lines_by_account on journal_lines (company_id, account, entry_id);
create index journal_lines_by_party on journal_lines (company_id, party_kind, party_id)
    where party_id is not null;
call fournil_protect('journal_lines');
call fournil_append_only('journal_lines');

-- Runs at commit. Count and total stand in the entry, so a line added later breaks it too.
create function accounting_check_entry() returns trigger
language plpgsql
as $$
declare
    entry journal_entries;
    lines bigint;
    debits numeric;
    credits numeric;
begin
    select e.* into strict entry from journal_entries e
    where e.company_id = new.company_id and e.entry_id = new.entry_id;
    select count(*), coalesce(sum(l.debit), 0), coalesce(sum(l.credit), 0)
    into lines, debits, credits
    from journal_lines l
    where l.company_id = new.company_id and l.entry_id = new.entry_id;
    if lines <> entry.line_count or debits <> entry.total or credits <> entry.total then
        raise exception 'entry % is not balanced: % lines, debit %, credit %, stated %',
            entry.entry_id, lines, debits, credits, entry.total
            using errcode = 'check_violation', constraint = 'entry_balanced';
    end if;
    return null;
end
$$;
create constraint trigger entry_balanced after insert on journal_entries
    deferrable initially deferred for each row execute function accounting_check_entry();
create constraint trigger entry_balanced after insert on journal_lines
    deferrable initially deferred for each row execute function accounting_check_entry();
