-- The one definition of each figure: stock value, the theory of a drawer, the figures of a day.
-- Creates views only; locks nothing. Read by pages, reports and `fournil-cloud check`.
-- `security_invoker` keeps row-level security of the tables below in force.

-- Value of stock by product, with the account that must say the same by kind.
create view stock_values with (security_invoker = true) as
select i.company_id, i.product_id, p.kind,
       case p.kind when 'resale' then '30' when 'ingredient' then '31' when 'consumable' then '326'
                   when 'intermediate' then '351' else '355' end as account,
       i.quantity, i.value,
       case when i.quantity > 0 then i.value / i.quantity end as unit_cost
from stock_items i
join products p on p.company_id = i.company_id and p.product_id = i.product_id;

-- What should lie in each drawer: float and movements while open, the count once closed.
create view drawer_theory with (security_invoker = true) as
select s.company_id, s.session_id, s.till_id, s.closed_at,
       s.opening_float + coalesce(m.amount, 0) as theoretical
from cash_sessions s
left join lateral (
    select sum(m.amount) as amount from cash_movements m
    where m.company_id = s.company_id and m.session_id = s.session_id
) m on true;

-- Sold, collected and the cost of what was sold, per shop and business day.
create view day_figures with (security_invoker = true) as
select t.company_id, t.store_id, t.business_date,
       count(*) as tickets,
       sum(t.total) as sold,
       sum(coalesce(p.collected, 0)) as collected,
       sum(coalesce(g.cost, 0)) as cost
from tickets t
left join lateral (
    select sum(p.amount) as collected from payments p
    where p.company_id = t.company_id and p.ticket_id = t.ticket_id
) p on true
left join lateral (
    select -sum(l.value) as cost from stock_ledger l
    where l.company_id = t.company_id and l.source_kind = 'ticket' and l.source_id = t.ticket_id
) g on true
group by t.company_id, t.store_id, t.business_date;

grant select on stock_values, drawer_theory, day_figures to fournil_app;
