-- Stock: places, quantities and values, and the ledger that explains each of them.
-- Creates only; locks nothing that exists. Written by sales, receipts, production and counts.

create table locations (
    company_id uuid not null references companies (company_id),
    location_id uuid not null,
    store_id uuid not null,
    -- counter: sold from; store: kept; lab: worked in; reserve: promised to a customer.
    kind text not null constraint location_kind_known
        check (kind in ('counter', 'store', 'lab', 'reserve')),
    name text not null constraint location_name_given check (length(trim(name)) between 1 and 60),
    active boolean not null default true,
    primary key (company_id, location_id),
    foreign key (company_id, store_id) references stores (company_id, store_id),
    constraint location_name_unique unique (company_id, store_id, name),
    constraint location_kind_of_id unique (company_id, location_id, kind)
);
call fournil_protect('locations');

-- Quantity and value of a product over the whole company: value / quantity is its cost.
-- This row is the lock: whoever moves a product holds it first.
create table stock_items (
    company_id uuid not null,
    product_id uuid not null,
    quantity numeric(14,3) not null default 0,
    value numeric(14,2) not null default 0,
    primary key (company_id, product_id),
    foreign key (company_id, product_id) references products (company_id, product_id),
    constraint stock_item_not_negative check (quantity >= 0 and value >= 0),
    constraint stock_item_empty_is_worthless check (quantity > 0 or value = 0)
);
call fournil_protect('stock_items');

create table stock_balances (
    company_id uuid not null,
    product_id uuid not null,
    location_id uuid not null,
    quantity numeric(14,3) not null default 0
        constraint stock_balance_not_negative check (quantity >= 0),
    primary key (company_id, product_id, location_id),
    foreign key (company_id, product_id) references products (company_id, product_id),
    foreign key (company_id, location_id) references locations (company_id, location_id)
);
create index stock_balances_by_location on stock_balances (company_id, location_id, product_id);
call fournil_protect('stock_balances');

-- Every change of a quantity, with its value, in one row. In is positive, out negative.
create table stock_ledger (
    company_id uuid not null,
    ledger_id bigint generated always as identity,
    product_id uuid not null,
    location_id uuid not null,
    quantity numeric(14,3) not null,
    value numeric(14,2) not null,
    source_kind text not null,
    source_id uuid not null,
    source_line integer not null,
    actor_id uuid,
    actor_label text not null,
    business_date date not null,
    at timestamptz not null,
    primary key (company_id, ledger_id),
    foreign key (company_id, product_id) references products (company_id, product_id),
    foreign key (company_id, location_id) references locations (company_id, location_id),
    -- A transfer is one line with two places.
    constraint stock_ledger_source_unique
        unique (company_id, source_kind, source_id, source_line, location_id),
    constraint stock_ledger_moves check (quantity <> 0 or value <> 0),
    constraint stock_ledger_same_sign check (quantity * value >= 0)
);
create index stock_ledger_by_product on stock_ledger (company_id, product_id, ledger_id desc);
create index stock_ledger_by_location on stock_ledger (company_id, location_id, ledger_id desc);
create index stock_ledger_by_date on stock_ledger (company_id, business_date, source_kind);
call fournil_protect('stock_ledger');
call fournil_append_only('stock_ledger');
