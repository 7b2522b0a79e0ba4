-- Identity: who may sign in and what they may do.
-- Creates only; locks nothing that exists. Read by every request.

create table roles (
    company_id uuid not null references companies (company_id),
    role_id uuid not null,
    -- Stable word for the built-in roles (`owner`, `manager`, `cashier`, ...); own roles have their own.
    key text not null,
    name text not null,
    built_in boolean not null default false,
    primary key (company_id, role_id),
    constraint role_key_unique unique (company_id, key)
);
call fournil_protect('roles');

create table role_permissions (
    company_id uuid not null,
    role_id uuid not null,
    permission text not null,
    primary key (company_id, role_id, permission),
    foreign key (company_id, role_id) references roles (company_id, role_id) on delete cascade
);
call fournil_protect('role_permissions');

create table users (
    company_id uuid not null references companies (company_id),
    user_id uuid not null,
    email text not null constraint user_email_shape check (email = lower(email) and email like '%_@_%'),
    name text not null constraint user_name_given check (length(trim(name)) between 1 and 80),
    role_id uuid not null,
    -- argon2id, PHC string.
    password_hash text not null,
    active boolean not null default true,
    created_at timestamptz not null default now(),
    primary key (company_id, user_id),
    foreign key (company_id, role_id) references roles (company_id, role_id),
    constraint user_email_unique unique (email)
);
create index users_by_role on users (company_id, role_id);
call fournil_protect('users');

create table user_sessions (
    company_id uuid not null,
    -- SHA-256 of the cookie: the database never holds a usable session.
    token_digest bytea not null,
    user_id uuid not null,
    csrf_token text not null,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    peer text not null default '',
    user_agent text not null default '',
    primary key (company_id, token_digest),
    constraint user_session_token_unique unique (token_digest),
    foreign key (company_id, user_id) references users (company_id, user_id) on delete cascade
);
create index user_sessions_by_user on user_sessions (company_id, user_id);
create index user_sessions_by_expiry on user_sessions (expires_at);
call fournil_protect('user_sessions');

-- Before the company is known: the row a login needs, by e-mail.
create function identity_find_login(wanted_email text)
returns table (company_id uuid, user_id uuid, password_hash text, active boolean)
language sql stable security definer set search_path = public
as $$
    select u.company_id, u.user_id, u.password_hash, u.active
    from users u
    where u.email = lower(wanted_email)
$$;

-- Before the company is known: whom a session cookie belongs to.
create function identity_find_session(wanted_digest bytea)
returns table (
    company_id uuid, user_id uuid, user_name text, email text, role_key text, csrf_token text,
    language text, last_seen_at timestamptz, expires_at timestamptz, permissions text[]
)
language sql stable security definer set search_path = public
as $$
    select s.company_id, s.user_id, u.name, u.email, r.key, s.csrf_token,
           c.language, s.last_seen_at, s.expires_at,
           array(select p.permission from role_permissions p
                 where p.company_id = u.company_id and p.role_id = u.role_id
                 order by p.permission)
    from user_sessions s
    join users u on u.company_id = s.company_id and u.user_id = s.user_id
    join roles r on r.company_id = u.company_id and r.role_id = u.role_id
    join companies c on c.company_id = s.company_id
    where s.token_digest = wanted_digest and u.active and s.expires_at > now()
$$;

revoke all on function identity_find_login(text), identity_find_session(bytea) from public;
grant execute on function identity_find_login(text), identity_find_session(bytea) to fournil_app;
