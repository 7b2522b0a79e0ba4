-- Catalogue: what the shop makes, buys, uses and sells, and what each thing costs the customer.
-- Creates only; locks nothing that exists. Read by the till, stock, recipes and the catalogue page.

create table product_categories (
    company_id uuid not null references companies (company_id),
    category_id uuid not null,
    name text not null constraint category_name_given check (length(trim(name)) between 1 and 60),
    -- Order of the tabs at the till.
    position integer not null default 0,
    emoji text not null default '',
    -- One of the palette's names; the page turns it into a class.
    colour text not null default 'sand' constraint category_colour_known
        check (colour in ('sand', 'rose', 'amber', 'olive', 'sky', 'violet', 'slate')),
    at_till boolean not null default true,
    primary key (company_id, category_id),
    constraint category_name_unique unique (company_id, name)
);
call fournil_protect('product_categories');

create table products (
    company_id uuid not null references companies (company_id),
    product_id uuid not null,
    -- Short code typed at the till and printed in lists.
    sku text not null constraint product_sku_shape check (sku ~ '^[A-Z0-9][A-Z0-9_-]{0,23}$'),
    name text not null constraint product_name_given check (length(trim(name)) between 1 and 80),
    kind text not null constraint product_kind_known
        check (kind in ('finished', 'intermediate', 'ingredient', 'consumable', 'resale')),
    category_id uuid not null,
    -- Stock is kept in this unit.
    base_unit text not null constraint product_base_unit_known
        check (base_unit in ('pc', 'g', 'kg', 'ml', 'l')),
    -- Customers buy in this unit; `sale_factor` base units make one.
    sale_unit text not null constraint product_sale_unit_known
        check (sale_unit in ('pc', 'g', 'kg', 'ml', 'l')),
    sale_factor numeric(14,3) not null default 1
        constraint product_sale_factor_positive check (sale_factor > 0),
    -- Per sale unit, what the customer pays.
    price numeric(14,2) not null default 0
        constraint product_price_not_negative check (price >= 0),
    sold boolean not null default false,
    emoji text not null default '',
    active boolean not null default true,
    created_at timestamptz not null default now(),
    primary key (company_id, product_id),
    foreign key (company_id, category_id) references product_categories (company_id, category_id),
    constraint product_sku_unique unique (company_id, sku),
    constraint product_sold_has_price check (not sold or price > 0)
);
create index products_by_category on products (company_id, category_id);
create index products_by_name on products (company_id, lower(name), product_id);
call fournil_protect('products');

-- Every price a product ever had; `products.price` is the last of them.
create table product_prices (
    company_id uuid not null,
    product_id uuid not null,
    price_id bigint generated always as identity,
    price numeric(14,2) not null constraint price_not_negative check (price >= 0),
    since timestamptz not null,
    actor_id uuid,
    actor_label text not null,
    primary key (company_id, product_id, price_id),
    foreign key (company_id, product_id) references products (company_id, product_id)
);
call fournil_protect('product_prices');
call fournil_append_only('product_prices');
