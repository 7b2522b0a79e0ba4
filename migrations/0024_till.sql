-- Till: drawers, the sessions that count them, tickets, payments and each movement of cash.
-- Creates only; locks nothing that exists. Written by the till page.

create table tills (
    company_id uuid not null,
    till_id uuid not null,
    store_id uuid not null,
    name text not null constraint till_name_given check (length(trim(name)) between 1 and 40),
    -- Where its goods are taken from.
    location_id uuid not null,
    location_kind text not null default 'counter'
        constraint till_sells_from_counter check (location_kind = 'counter'),
    active boolean not null default true,
    primary key (company_id, till_id),
    foreign key (company_id, store_id) references stores (company_id, store_id),
    foreign key (company_id, location_id, location_kind)
        references locations (company_id, location_id, kind),
    constraint till_name_unique unique (company_id, store_id, name)
);
create index tills_by_location on tills (company_id, location_id);
call fournil_protect('tills');

create table cash_sessions (
    company_id uuid not null,
    session_id uuid not null,
    till_id uuid not null,
    opened_at timestamptz not null,
    opened_by uuid,
    opened_by_label text not null,
    business_date date not null,
    -- What the count before said should be there, and what was there.
    opening_expected numeric(14,2) not null,
    opening_float numeric(14,2) not null
        constraint session_float_not_negative check (opening_float >= 0),
    opening_reason text not null default '',
    closed_at timestamptz,
    closed_by uuid,
    closed_by_label text,
    theoretical numeric(14,2),
    counted numeric(14,2) constraint session_counted_not_negative check (counted >= 0),
    difference numeric(14,2),
    closing_reason text,
    primary key (company_id, session_id),
    foreign key (company_id, till_id) references tills (company_id, till_id),
    constraint session_closed_whole check (
        num_nulls(closed_at, closed_by_label, theoretical, counted, difference, closing_reason)
            in (0, 6)),
    constraint session_difference_is_counted_less_theory check (difference = counted - theoretical),
    constraint session_closing_explained check (difference = 0 or trim(closing_reason) <> ''),
    constraint session_opening_explained
        check (opening_float = opening_expected or trim(opening_reason) <> '')
);
-- Two people opening one drawer: the second is told, not believed.
create unique index session_one_open_per_till on cash_sessions (company_id, till_id)
    where closed_at is null;
create index cash_sessions_by_till on cash_sessions (company_id, till_id, opened_at desc);
call fournil_protect('cash_sessions');
revoke delete on cash_sessions from fournil_app;

-- A session is closed once and then stands.
create function till_refuse_closed() returns trigger
language plpgsql
as $$
begin
    if old.closed_at is not null then
        raise exception 'cash session % is closed', old.session_id
            using errcode = 'restrict_violation', constraint = 'session_is_final';
    end if;
    return new;
end
$$;
create trigger session_is_final before update or delete on cash_sessions
    for each row execute function till_refuse_closed();

create table cash_counts (
    company_id uuid not null,
    session_id uuid not null,
    moment text not null constraint count_moment_known check (moment in ('opening', 'closing')),
    -- Dinars on the note or coin.
    denomination integer not null constraint count_denomination_known
        check (denomination in (2000, 1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)),
    pieces integer not null constraint count_pieces_positive check (pieces > 0),
    primary key (company_id, session_id, moment, denomination),
    foreign key (company_id, session_id) references cash_sessions (company_id, session_id)
);
call fournil_protect('cash_counts');
call fournil_append_only('cash_counts');

create table tickets (
    company_id uuid not null,
    -- Made by the page: asking twice is asking once.
    ticket_id uuid not null,
    store_id uuid not null,
    till_id uuid not null,
    session_id uuid not null,
    year integer not null,
    number bigint not null constraint ticket_number_positive check (number > 0),
    -- As printed, such as T-2026-000123.
    code text not null,
    sold_at timestamptz not null,
    business_date date not null,
    cashier_id uuid,
    cashier text not null,
    total numeric(14,2) not null constraint ticket_total_positive check (total > 0),
    primary key (company_id, ticket_id),
    foreign key (company_id, store_id) references stores (company_id, store_id),
    foreign key (company_id, till_id) references tills (company_id, till_id),
    foreign key (company_id, session_id) references cash_sessions (company_id, session_id),
    constraint ticket_number_unique unique (company_id, year, number),
    constraint ticket_code_unique unique (company_id, code)
);
create index tickets_by_store on tickets (company_id, store_id, business_date);
create index tickets_by_till on tickets (company_id, till_id);
create index tickets_by_session on tickets (company_id, session_id);
create index tickets_by_time on tickets (company_id, sold_at desc, ticket_id desc);
create index tickets_by_day on tickets (company_id, business_date, sold_at desc, ticket_id desc);
call fournil_protect('tickets');
call fournil_append_only('tickets');

create table ticket_lines (
    company_id uuid not null,
    ticket_id uuid not null,
    line smallint not null,
    product_id uuid not null,
    -- As it was called when sold.
    name text not null,
    -- In the sale unit, as the customer asked.
    quantity numeric(14,3) not null constraint ticket_line_quantity_positive check (quantity > 0),
    unit text not null,
    unit_price numeric(14,2) not null,
    total numeric(14,2) not null,
    -- In the base unit, as the stock gave.
    base_quantity numeric(14,3) not null,
    primary key (company_id, ticket_id, line),
    foreign key (company_id, ticket_id) references tickets (company_id, ticket_id),
    foreign key (company_id, product_id) references products (company_id, product_id)
);
create index ticket_lines_by_product on ticket_lines (company_id, product_id);
call fournil_protect('ticket_lines');
call fournil_append_only('ticket_lines');

-- The only source of what was collected. Never changed: money given back is another row.
create table payments (
    company_id uuid not null,
    payment_id uuid not null,
    ticket_id uuid not null,
    session_id uuid not null,
    method text not null constraint payment_method_known check (method in ('cash')),
    amount numeric(14,2) not null constraint payment_amount_not_zero check (amount <> 0),
    -- Cash is collected in whole dinars: what that adds to (or takes from) what is settled.
    -- A ticket is paid in full when its payments less their rounding are its total.
    rounding numeric(14,2) not null default 0,
    -- What was handed over and what went back.
    tendered numeric(14,2) not null,
    change numeric(14,2) not null constraint payment_change_not_negative check (change >= 0),
    paid_at timestamptz not null,
    business_date date not null,
    actor_id uuid,
    actor_label text not null,
    primary key (company_id, payment_id),
    foreign key (company_id, ticket_id) references tickets (company_id, ticket_id),
    foreign key (company_id, session_id) references cash_sessions (company_id, session_id),
    constraint payment_adds_up check (amount = tendered - change),
    -- round() of numeric goes half away from zero, as the program does.
    constraint payment_cash_is_rounded check (
        (method = 'cash' and amount = round(amount - rounding))
        or (method <> 'cash' and rounding = 0))
);
create index payments_by_ticket on payments (company_id, ticket_id);
create index payments_by_session on payments (company_id, session_id);
create index payments_by_date on payments (company_id, business_date);
call fournil_protect('payments');
call fournil_append_only('payments');

create table cash_movements (
    company_id uuid not null,
    movement_id uuid not null,
    session_id uuid not null,
    kind text not null constraint movement_kind_known check (kind in ('sale')),
    -- Into the drawer is positive.
    amount numeric(14,2) not null constraint movement_amount_not_zero check (amount <> 0),
    payment_id uuid,
    at timestamptz not null,
    business_date date not null,
    actor_id uuid,
    actor_label text not null,
    primary key (company_id, movement_id),
    foreign key (company_id, session_id) references cash_sessions (company_id, session_id),
    foreign key (company_id, payment_id) references payments (company_id, payment_id),
    constraint movement_of_sale_has_payment check (kind <> 'sale' or payment_id is not null),
    constraint movement_payment_unique unique (company_id, payment_id)
);
create index cash_movements_by_session on cash_movements (company_id, session_id, at);
create index cash_movements_by_date on cash_movements (company_id, business_date);
call fournil_protect('cash_movements');
call fournil_append_only('cash_movements');

-- No cash without an open session, whatever code asks. The share lock makes a closing wait.
create function till_need_open_session() returns trigger
language plpgsql
as $$
begin
    perform from cash_sessions s
    where s.company_id = new.company_id and s.session_id = new.session_id and s.closed_at is null
    for share;
    if not found then
        raise exception 'cash session % is not open', new.session_id
            using errcode = 'check_violation', constraint = 'session_must_be_open';
    end if;
    return new;
end
$$;
create trigger session_must_be_open before insert on cash_movements
    for each row execute function till_need_open_session();
create trigger session_must_be_open before insert on payments
    for each row execute function till_need_open_session();
create trigger session_must_be_open before insert on tickets
    for each row execute function till_need_open_session();
