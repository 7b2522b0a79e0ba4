-- Identity: the look-ups and the cleaning that cross companies.
-- Creates functions only; locks nothing. Read by the command line and by two timed jobs.

-- The companies of this database, for the command line and for jobs that visit each.
create function identity_companies()
returns table (company_id uuid, name text)
language sql stable security definer set search_path = public
as $$ select c.company_id, c.name from companies c order by c.created_at, c.company_id $$;

-- Which company an e-mail belongs to, for the command line.
create function identity_find_user(wanted_email text)
returns table (company_id uuid, user_id uuid)
language sql stable security definer set search_path = public
as $$ select u.company_id, u.user_id from users u where u.email = lower(wanted_email) $$;

-- Takes away sessions that ended; at most so many at once, so that no lock is held long.
create function identity_delete_expired_sessions(most integer) returns bigint
language sql security definer set search_path = public
as $$
    with gone as (
        delete from user_sessions s
        where s.token_digest in (
            select e.token_digest from user_sessions e
            where e.expires_at < now() order by e.expires_at limit most)
        returning 1)
    select count(*) from gone
$$;

-- Takes away idempotency keys nobody will ask with again.
create function ground_delete_old_idempotency_keys(older_than interval, most integer) returns bigint
language sql security definer set search_path = public
as $$
    with gone as (
        delete from idempotency_keys k
        where (k.company_id, k.key) in (
            select o.company_id, o.key from idempotency_keys o
            where o.created_at < now() - older_than order by o.created_at limit most)
        returning 1)
    select count(*) from gone
$$;

-- Figures of the user sessions, for the metrics.
create function identity_sessions_alive() returns bigint
language sql stable security definer set search_path = public
as $$ select count(*) from user_sessions s where s.expires_at > now() $$;

revoke all on function identity_companies(), identity_find_user(text),
    identity_delete_expired_sessions(integer),
    ground_delete_old_idempotency_keys(interval, integer),
    identity_sessions_alive() from public;
grant execute on function identity_companies(), identity_find_user(text),
    identity_delete_expired_sessions(integer),
    ground_delete_old_idempotency_keys(interval, integer),
    identity_sessions_alive() to fournil_app;
