-- Look-ups of the tunnel that come before a company is known, and those of the hub, which
-- serves all companies. Each answers one question with the least it can.

-- Hello: whose gateway is this and which keys may speak for it.
create function gateways_find_hello(wanted uuid)
returns table (company_id uuid, gateway_name text, gateway_state text, public_keys bytea[])
language sql stable security definer set search_path = public
as $$
    select g.company_id, g.name, g.state,
           array(select k.public_key from gateway_keys k
                 where k.company_id = g.company_id and k.gateway_id = g.gateway_id
                   and k.state = 'active'
                 order by k.added_at)
    from gateways g
    where g.gateway_id = wanted
$$;

-- The key that codes are hashed with.
create function gateways_enrolment_secret() returns bytea
language sql stable security definer set search_path = public
as $$ select s.secret from server_secrets s where s.name = 'enrolment' $$;

-- Counts a try on every live code a guess aimed at, and gives what is needed to judge it.
-- Its own statement: the try stays counted whatever becomes of the rest.
create function gateways_try_code(wanted_locator text)
returns table (
    company_id uuid, code_id uuid, gateway_id uuid, code_mac bytea, tries integer,
    expires_at timestamptz, redeemed_by bytea
)
language sql volatile security definer set search_path = public
as $$
    update enrolment_codes c
    set tries = c.tries + 1
    where c.locator = wanted_locator and c.expires_at > now() - interval '1 day'
    returning c.company_id, c.code_id, c.gateway_id, c.code_mac, c.tries, c.expires_at,
              c.redeemed_by
$$;

-- The hub's look at the gateways it holds: one statement a second per node.
create function gateways_look(wanted uuid[])
returns table (
    company_id uuid, gateway_id uuid, gateway_state text, gateway_mode text, generation bigint,
    has_queued boolean
)
language sql stable security definer set search_path = public
as $$
    select g.company_id, g.gateway_id, g.state, g.mode, g.generation,
           exists(select from commands c
                  where c.company_id = g.company_id and c.gateway_id = g.gateway_id
                    and c.state = 'queued')
    from gateways g
    where g.gateway_id = any(wanted)
$$;

-- Gateways with queued commands past their deadline: those of shops that are away too.
create function gateways_overdue(at_most integer)
returns table (company_id uuid, gateway_id uuid)
language sql stable security definer set search_path = public
as $$
    select distinct c.company_id, c.gateway_id
    from commands c
    where c.state = 'queued' and c.not_after <= now()
    limit at_most
$$;

-- A node says that it lives.
create function gateways_node_lives(this_node text) returns void
language sql volatile security definer set search_path = public
as $$
    insert into gateway_nodes (node, heartbeat_at) values (this_node, now())
    on conflict (node) do update set heartbeat_at = excluded.heartbeat_at
$$;

-- A node begins: what it held before it stopped is over.
create function gateways_node_begins(this_node text) returns void
language sql volatile security definer set search_path = public
as $$
    update gateway_sessions s
    set ended_at = coalesce((select n.heartbeat_at from gateway_nodes n where n.node = this_node),
                            s.since),
        close_reason = 'node-lost'
    where s.node = this_node and s.ended_at is null
$$;

revoke all on function gateways_find_hello(uuid), gateways_enrolment_secret(),
    gateways_try_code(text), gateways_look(uuid[]), gateways_overdue(integer),
    gateways_node_lives(text), gateways_node_begins(text) from public;
grant execute on function gateways_find_hello(uuid), gateways_enrolment_secret(),
    gateways_try_code(text), gateways_look(uuid[]), gateways_overdue(integer),
    gateways_node_lives(text), gateways_node_begins(text) to fournil_app;
