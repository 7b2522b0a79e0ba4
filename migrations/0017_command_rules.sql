-- Commands: rows and passages that cannot be are refused by the database, whoever writes.
-- What each class of command promises is told in docs/commands.md.
-- Takes the table's lock for one pass over it (milliseconds for 100,000 commands). Read by the
-- outbox, the hub and the pages. Nodes of an older build are stopped first: they break these
-- rules (what may be repeated put in doubt, attempts taken back).

alter table commands
    -- The shop spoke of a command that this database still had in its queue: it was restored
    -- from a backup, and the lease went with what was lost.
    add column told_unasked boolean not null default false,
    -- How often it was asked again by itself.
    add column requeued smallint not null default 0,
    -- Not to be given out before; a pause between two askings.
    add column not_before timestamptz;

-- What earlier programs may have left.
alter table commands disable trigger command_guard;
update commands
set told_unasked = true
where down_seq is null and state in ('leased', 'delivered', 'started', 'done', 'in_doubt', 'unsupported');
update commands
set state = 'failed', settled_at = now()
where policy = 'repeatable' and state = 'in_doubt';
update commands set attempt = 1 where state = 'started' and attempt = 0;
update commands set settled_at = queued_at where state = 'failed' and settled_at is null;
update commands set delivered_at = started_at where state = 'delivered' and delivered_at is null;
update commands set lease_generation = 0 where down_seq is not null and lease_generation is null;
alter table commands enable trigger command_guard;

-- Kinds that this release knows; a new kind brings its own line.
alter table commands
    add constraint command_policy_of_kind check (
        case kind
            when 'print' then policy = 'ask'
            when 'drawer' then policy = 'at_most_once'
            when 'read_clock' then policy = 'repeatable'
            when 'read_status' then policy = 'repeatable'
            when 'cancel' then policy = 'repeatable'
            when 'diagnostics' then policy = 'repeatable'
            else true
        end),
    -- What may happen once at most must not happen late.
    add constraint command_deadline_needed check (policy <> 'at_most_once' or not_after is not null),
    add constraint command_at_most_once check (policy <> 'at_most_once' or attempt <= 1),
    -- What may be repeated is repeated, not wondered about.
    add constraint command_doubt_of_policy check (state <> 'in_doubt' or policy <> 'repeatable'),
    add constraint command_requeue_bounded check (
        requeued between 0 and 5 and (requeued = 0 or policy = 'repeatable')),
    drop constraint command_lease_whole,
    add constraint command_lease_whole check (num_nulls(down_epoch, down_seq, lease_generation) in (0, 3)),
    add constraint command_lease_range check (down_seq > 0 and down_epoch <> 0),
    -- Whatever the shop has or had was given to it, and what waits was not.
    add constraint command_lease_of_state check (
        case
            when state = 'queued' then down_seq is null and not told_unasked
            when state in ('leased', 'delivered', 'started', 'done', 'in_doubt', 'unsupported')
                then (down_seq is null) = told_unasked
            else down_seq is null or not told_unasked
        end),
    -- An attempt is the shop's word.
    add constraint command_attempt_of_state check (
        attempt >= 0
        and (attempt = 0 or state not in ('queued', 'leased'))
        and (attempt > 0 or state <> 'started')),
    add constraint command_report_of_state check (
        (evidence = 0 or state in ('started', 'done', 'failed', 'in_doubt'))
        and (detail = '' or state not in ('queued', 'leased'))),
    -- Paper is printed when something proves it, or somebody saw it.
    add constraint command_done_proven check (
        state <> 'done' or kind <> 'print' or evidence > 0 or reason = 'person-said-done'),
    add constraint command_expiry_of_deadline check (state <> 'expired' or not_after is not null),
    add constraint command_times_of_state check (
        (settled_at is not null)
            = (state in ('done', 'failed', 'expired', 'cancelled', 'unsupported'))
        and (state <> 'queued' or num_nonnulls(leased_at, delivered_at, started_at) = 0)
        and (state <> 'leased' or leased_at is not null)
        and (state <> 'delivered' or delivered_at is not null)
        and (state <> 'started' or started_at is not null)),
    add constraint command_copy_of_page check (
        copy_of is null or (kind = 'print' and copy_of <> command_id)),
    add constraint command_body_given check (octet_length(body) > 0);

-- True when a command of that policy may pass from one state to the other.
create function command_may_pass(old_state text, new_state text, policy text) returns boolean
language sql immutable
as $$
    select case old_state
        when new_state then true
        when 'queued' then new_state in ('leased', 'expired', 'cancelled')
        -- Back to the queue when the down log begins anew: the same number was never confirmed.
        when 'leased' then new_state in ('queued', 'delivered', 'started', 'done', 'failed',
            'expired', 'cancelled', 'unsupported') or (new_state = 'in_doubt' and policy <> 'repeatable')
        -- Back to the queue when the journal that had it is gone and it may happen twice.
        when 'delivered' then new_state in ('started', 'done', 'failed', 'expired', 'cancelled',
            'unsupported') or new_state = case policy when 'repeatable' then 'queued' else 'in_doubt' end
        -- An attempt that sent nothing may still run out of time or be called back.
        when 'started' then new_state in ('done', 'failed', 'expired', 'cancelled')
            or new_state = case policy when 'repeatable' then 'queued' else 'in_doubt' end
        -- A person, or a report that came later, ends the doubt.
        when 'in_doubt' then policy <> 'repeatable'
            and new_state in ('done', 'failed', 'expired', 'cancelled', 'unsupported')
        else false
    end
$$;

create or replace function command_guard() returns trigger
language plpgsql
as $$
begin
    if tg_op = 'INSERT' then
        if new.state = 'failed' and new.reason = 'too-large' then
            new.settled_at := clock_timestamp();
        elsif new.state <> 'queued' then
            raise exception 'a command begins as queued, not %', new.state
                using errcode = 'check_violation', constraint = 'command_transition';
        end if;
        new.requeued := 0;
        return new;
    end if;
    if old.state in ('done', 'failed', 'expired', 'cancelled', 'unsupported') then
        raise exception 'a settled command does not change'
            using errcode = 'check_violation', constraint = 'command_settled';
    end if;
    if not command_may_pass(old.state, new.state, new.policy) then
        raise exception 'a command cannot pass from % to %', old.state, new.state
            using errcode = 'check_violation', constraint = 'command_transition';
    end if;
    if (old.company_id, old.command_id, old.gateway_id, old.kind, old.policy, old.device,
        old.body, old.not_after, old.source_kind, old.source_id, old.purpose, old.copy_of,
        old.asked_by, old.asked_by_user, old.queued_at)
       is distinct from
       (new.company_id, new.command_id, new.gateway_id, new.kind, new.policy, new.device,
        new.body, new.not_after, new.source_kind, new.source_id, new.purpose, new.copy_of,
        new.asked_by, new.asked_by_user, new.queued_at) then
        raise exception 'what a command asks does not change: ask for another'
            using errcode = 'check_violation', constraint = 'command_fixed';
    end if;
    if (old.state, new.state) <> ('queued', 'leased') and new.state <> 'queued'
       and (old.down_epoch, old.down_seq, old.lease_generation, old.told_unasked)
           is distinct from
           (new.down_epoch, new.down_seq, new.lease_generation, new.told_unasked) then
        raise exception 'a lease does not change while it lasts'
            using errcode = 'check_violation', constraint = 'command_lease_fixed';
    end if;
    if new.attempt < old.attempt and new.state <> 'queued' then
        raise exception 'attempts do not go back from % to %', old.attempt, new.attempt
            using errcode = 'check_violation', constraint = 'command_attempt_back';
    end if;
    new.requeued := old.requeued;
    if new.state = old.state then
        new.leased_at := old.leased_at;
        new.delivered_at := old.delivered_at;
        new.started_at := old.started_at;
        new.settled_at := old.settled_at;
        return new;
    end if;
    case new.state
        when 'queued' then
            if old.state <> 'leased' then
                new.requeued := old.requeued + 1;
            end if;
            new.leased_at := null;
            new.delivered_at := null;
            new.started_at := null;
        when 'leased' then new.leased_at := clock_timestamp();
        when 'delivered' then new.delivered_at := clock_timestamp();
        when 'started' then new.started_at := clock_timestamp();
        when 'in_doubt' then null;
        else new.settled_at := clock_timestamp();
    end case;
    return new;
end
$$;
drop function command_may_pass(text, text);

-- What pauses between two askings is not yet there to be given out.
create or replace function gateways_look(wanted uuid[])
returns table (
    company_id uuid, gateway_id uuid, gateway_state text, gateway_mode text, generation bigint,
    has_queued boolean, is_rotation_asked boolean
)
language sql stable security definer set search_path = public
as $$
    select g.company_id, g.gateway_id, g.state, g.mode, g.generation,
           exists(select from commands c
                  where c.company_id = g.company_id and c.gateway_id = g.gateway_id
                    and c.state = 'queued'
                    and (c.not_before is null or c.not_before <= now())),
           coalesce(g.rotation = 'asked', false)
    from gateways g
    where g.gateway_id = any(wanted)
$$;
