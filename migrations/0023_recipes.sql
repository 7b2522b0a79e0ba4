-- Recipes: what goes into a product and how much comes out.
-- Creates only; locks nothing that exists. Read by the recipes page and, later, production.

create table recipes (
    company_id uuid not null,
    recipe_id uuid not null,
    product_id uuid not null,
    -- In the product's base unit.
    yield_quantity numeric(14,3) not null
        constraint recipe_yield_positive check (yield_quantity > 0),
    -- Made in a lab and nowhere else: the key carries the kind.
    lab_id uuid not null,
    lab_kind text not null default 'lab' constraint recipe_made_in_lab check (lab_kind = 'lab'),
    active boolean not null default true,
    primary key (company_id, recipe_id),
    foreign key (company_id, product_id) references products (company_id, product_id),
    foreign key (company_id, lab_id, lab_kind) references locations (company_id, location_id, kind),
    constraint recipe_product_unique unique (company_id, product_id)
);
create index recipes_by_lab on recipes (company_id, lab_id);
call fournil_protect('recipes');

create table recipe_lines (
    company_id uuid not null,
    recipe_id uuid not null,
    line smallint not null,
    ingredient_id uuid not null,
    quantity numeric(14,3) not null
        constraint recipe_line_quantity_positive check (quantity > 0),
    -- As the baker writes it; convertible to the ingredient's base unit, checked when saved.
    unit text not null constraint recipe_line_unit_known
        check (unit in ('pc', 'g', 'kg', 'ml', 'l')),
    primary key (company_id, recipe_id, line),
    foreign key (company_id, recipe_id) references recipes (company_id, recipe_id) on delete cascade,
    foreign key (company_id, ingredient_id) references products (company_id, product_id),
    constraint recipe_line_ingredient_unique unique (company_id, recipe_id, ingredient_id)
);
create index recipe_lines_by_ingredient on recipe_lines (company_id, ingredient_id);
call fournil_protect('recipe_lines');
