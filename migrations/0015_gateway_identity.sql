-- Identity of gateways over time: keys that follow one another, client certificates, the
-- certificate that is served, and the boots that sessions came from. Adds columns with
-- constant defaults and replaces small constraints and functions: a lock of milliseconds on
-- gateways and gateway_keys. Read by every tunnel session and the Passerelles pages.

-- A key is proposed (`next`) by the one before it, becomes `active` when it has opened a
-- session, and its predecessor is then `retiring`: good until `retires_at`.
alter table gateway_keys
    drop constraint gateway_key_state_known,
    add constraint gateway_key_state_known
        check (state in ('next', 'active', 'retiring', 'dropped', 'revoked')),
    add column connected_at timestamptz,
    add column retires_at timestamptz,
    add constraint gateway_key_retires check ((state = 'retiring') = (retires_at is not null));
create unique index gateway_keys_one_active on gateway_keys (company_id, gateway_id)
    where state = 'active';
create unique index gateway_keys_one_next on gateway_keys (company_id, gateway_id)
    where state = 'next';

alter table gateways
    -- `asked`: a person wants a new key. `told`: the gateway was told to make one.
    add column rotation text
        constraint gateway_rotation_known check (rotation in ('asked', 'told')),
    add column rotation_told_at timestamptz,
    -- Sessions of this generation and before say nothing about copies: a person vouched.
    add column trusted_from bigint not null default 0,
    -- Of the client certificate its newest session came with.
    add column client_certificate_until timestamptz;

alter table gateway_sessions add column boot_id bytea not null default '';

-- When the certificate that the gateway verified ends, as it says.
alter table gateway_health add column server_certificate_until timestamptz;

-- What each node serves. `server`: its certificate and those it sends along; `authority`: the
-- private one that gateways are given; `gateways`: the authority of client certificates.
create table served_certificates (
    node text not null,
    kind text not null
        constraint served_kind_known check (kind in ('server', 'authority', 'gateways')),
    until timestamptz not null,
    told_at timestamptz not null,
    primary key (node, kind)
);
grant select on served_certificates to fournil_app;

create function gateways_tell_certificate(this_node text, this_kind text, this_until timestamptz)
returns void
language sql volatile security definer set search_path = public
as $$
    insert into served_certificates (node, kind, until, told_at)
    values (this_node, this_kind, this_until, now())
    on conflict (node, kind) do update set until = excluded.until, told_at = excluded.told_at
$$;

-- Hello, and proposals of a new key: whose gateway is this and which keys may speak for it.
create or replace function gateways_find_hello(wanted uuid)
returns table (company_id uuid, gateway_name text, gateway_state text, public_keys bytea[])
language sql stable security definer set search_path = public
as $$
    select g.company_id, g.name, g.state,
           array(select k.public_key from gateway_keys k
                 where k.company_id = g.company_id and k.gateway_id = g.gateway_id
                   and (k.state in ('active', 'next')
                        or (k.state = 'retiring' and k.retires_at > now()))
                 -- Each costs a verification: the newest of those on their way out.
                 order by k.state = 'retiring', k.added_at desc
                 limit 5)
    from gateways g
    where g.gateway_id = wanted
$$;

-- The hub's look at the gateways it holds, now with the wish for a new key.
drop function gateways_look(uuid[]);
create function gateways_look(wanted uuid[])
returns table (
    company_id uuid, gateway_id uuid, gateway_state text, gateway_mode text, generation bigint,
    has_queued boolean, is_rotation_asked boolean
)
language sql stable security definer set search_path = public
as $$
    select g.company_id, g.gateway_id, g.state, g.mode, g.generation,
           exists(select from commands c
                  where c.company_id = g.company_id and c.gateway_id = g.gateway_id
                    and c.state = 'queued'),
           coalesce(g.rotation = 'asked', false)
    from gateways g
    where g.gateway_id = any(wanted)
$$;

revoke all on function gateways_tell_certificate(text, text, timestamptz), gateways_look(uuid[])
    from public;
grant execute on function gateways_tell_certificate(text, text, timestamptz),
    gateways_look(uuid[]) to fournil_app;
