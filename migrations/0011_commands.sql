-- Commands: the outbox to the shops. One table is queue and history; a command is inserted in
-- the transaction of the business act that wants it.
-- Creates only; locks nothing that exists. Read by the hub, the print area and the pages.

create table commands (
    company_id uuid not null,
    command_id uuid not null,
    gateway_id uuid not null,
    -- Order of asking within a gateway, and of lists.
    queue_no bigint generated always as identity,
    kind text not null constraint command_kind_known
        check (kind in ('print', 'drawer', 'read_clock', 'read_status', 'cancel')),
    policy text not null constraint command_policy_known
        check (policy in ('at_most_once', 'ask', 'repeatable')),
    device text not null default '',
    -- Names the page in lists, such as a ticket's number.
    title text not null default '',
    -- The protocol's Command, without its sequence.
    body bytea not null,
    not_after timestamptz,
    state text not null default 'queued' constraint command_state_known check (state in
        ('queued', 'leased', 'delivered', 'started',
         'done', 'failed', 'expired', 'cancelled', 'in_doubt', 'unsupported')),
    -- Why it waits or ended so; a machine word.
    reason text not null default '',
    detail text not null default '',
    -- E0-E4 of the last report.
    evidence smallint not null default 0 constraint command_evidence_known check (evidence between 0 and 4),
    attempt integer not null default 0,
    -- Where it stands in the down log, once leased.
    down_epoch bigint,
    down_seq bigint,
    -- The session that holds it.
    lease_generation bigint,
    -- The business fact behind it: asked twice, one command.
    source_kind text not null,
    source_id uuid not null,
    purpose text not null,
    -- The command a copy repeats.
    copy_of uuid,
    asked_by text not null,
    asked_by_user uuid,
    -- Who brought about the newest state: a person, the shop or this program.
    touched_by text not null,
    queued_at timestamptz not null default now(),
    leased_at timestamptz,
    delivered_at timestamptz,
    started_at timestamptz,
    settled_at timestamptz,
    primary key (company_id, command_id),
    constraint command_source_unique unique (company_id, source_kind, source_id, purpose),
    constraint command_lease_whole check ((down_epoch is null) = (down_seq is null)),
    foreign key (company_id, gateway_id) references gateways (company_id, gateway_id),
    foreign key (company_id, copy_of) references commands (company_id, command_id)
);
create index commands_queue on commands (company_id, gateway_id, queue_no) where state = 'queued';
create index commands_deadlines on commands (not_after) where state = 'queued';
create index commands_unsettled on commands (company_id, gateway_id)
    where state in ('queued', 'leased', 'delivered', 'started', 'in_doubt');
create unique index commands_down_log on commands (company_id, gateway_id, down_epoch, down_seq)
    where down_seq is not null;
create index commands_history on commands (company_id, gateway_id, queue_no desc);
create index commands_by_copy on commands (company_id, copy_of) where copy_of is not null;
call fournil_protect('commands');
revoke delete on commands from fournil_app;

-- True when a command may pass from one state to the other.
create function command_may_pass(old_state text, new_state text) returns boolean
language sql immutable
as $$
    select case old_state
        when new_state then true
        when 'queued' then new_state in ('leased', 'expired', 'cancelled')
        -- Back to the queue only when the down log begins anew.
        when 'leased' then new_state in ('queued', 'delivered', 'started', 'done', 'failed',
            'expired', 'cancelled', 'in_doubt', 'unsupported')
        when 'delivered' then new_state in ('started', 'done', 'failed', 'expired', 'cancelled',
            'in_doubt', 'unsupported')
        -- An attempt that sent nothing may still run out of time or be called back.
        when 'started' then new_state in ('done', 'failed', 'expired', 'cancelled', 'in_doubt')
        -- A person, or a report that came later, ends the doubt.
        when 'in_doubt' then new_state in ('done', 'failed', 'expired', 'cancelled',
            'unsupported')
        else false
    end
$$;

create function command_guard() returns trigger
language plpgsql
as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'queued' and not (new.state = 'failed' and new.reason = 'too-large') then
            raise exception 'a command begins as queued, not %', new.state
                using errcode = 'check_violation', constraint = 'command_transition';
        end if;
        return new;
    end if;
    if old.state in ('done', 'failed', 'expired', 'cancelled', 'unsupported') then
        raise exception 'a settled command does not change'
            using errcode = 'check_violation', constraint = 'command_settled';
    end if;
    if not command_may_pass(old.state, new.state) then
        raise exception 'a command cannot pass from % to %', old.state, new.state
            using errcode = 'check_violation', constraint = 'command_transition';
    end if;
    if (old.gateway_id, old.kind, old.policy, old.device, old.body, old.source_kind,
        old.source_id, old.purpose, old.queued_at)
       is distinct from
       (new.gateway_id, new.kind, new.policy, new.device, new.body, new.source_kind,
        new.source_id, new.purpose, new.queued_at) then
        raise exception 'what a command asks does not change: ask for another'
            using errcode = 'check_violation', constraint = 'command_fixed';
    end if;
    if new.state <> old.state then
        case new.state
            when 'queued' then new.leased_at := null;
            when 'leased' then new.leased_at := clock_timestamp();
            when 'delivered' then new.delivered_at := clock_timestamp();
            when 'started' then new.started_at := clock_timestamp();
            when 'in_doubt' then null;
            else new.settled_at := clock_timestamp();
        end case;
    end if;
    return new;
end
$$;
create trigger command_guard before insert or update on commands
    for each row execute function command_guard();

create table command_history (
    company_id uuid not null,
    history_id bigint generated always as identity,
    command_id uuid not null,
    at timestamptz not null default clock_timestamp(),
    state text not null,
    reason text not null,
    detail text not null,
    evidence smallint not null,
    attempt integer not null,
    device text not null,
    -- Who brought it about: a person, the shop or this program.
    actor text not null,
    primary key (company_id, history_id),
    foreign key (company_id, command_id) references commands (company_id, command_id)
);
create index command_history_by_command on command_history (company_id, command_id, history_id);
call fournil_protect('command_history');
call fournil_append_only('command_history');

-- No state is ever passed without a line of history.
create function command_record_history() returns trigger
language plpgsql
as $$
begin
    if tg_op = 'UPDATE' and (old.state, old.reason, old.detail, old.evidence, old.attempt)
       is not distinct from (new.state, new.reason, new.detail, new.evidence, new.attempt) then
        return null;
    end if;
    insert into command_history
        (company_id, command_id, state, reason, detail, evidence, attempt, device, actor)
    values (new.company_id, new.command_id, new.state, new.reason, new.detail, new.evidence,
            new.attempt, new.device, new.touched_by);
    return null;
end
$$;
create trigger command_record_history after insert or update on commands
    for each row execute function command_record_history();
