/**
 * The routines of the idempotency store in PostgreSQL. One call handles any number of keys.
 *
 * They are routines because every session caches their plans and they can set planner options. A cached plan from the time
 * when the table was small would otherwise scan the whole table for each key after it has grown.
 *
 * `clock` is the time of a whole statement. It uses `clock_timestamp()`, because `now()` is the start of the transaction. It
 * is read once, at the start, so waiting for a lock can only shorten a lease.
 */

/** The name of the routine that claims keys. @internal */
export const acquireRoutine = "multistatus_acquire"

/** The name of the routine that settles claims. @internal */
export const settleRoutine = "multistatus_settle"

// The routines run with the rights and the search path of their caller.
const routineOptions = `language plpgsql volatile security invoker
  set plan_cache_mode = force_generic_plan set enable_seqscan = off`

/** Returns the common table expression `clock`. @internal */
export const postgresClock = (now: string): string =>
  `clock as materialized (
    select coalesce(${now}, floor(extract(epoch from clock_timestamp()) * 1000)::int8) as t
  )`

// A key can be taken if its record has expired or was released. Otherwise the fingerprint is compared before the state.
const takeable = `(r.expires_at <= c.t or r.state = 'released' or (r.fingerprint = i.f and r.state <> 'done'
      and (r.owner = in_owner or (r.state = 'pending' and r.lease_until <= c.t))))`

// Rows are read in lateral subqueries that the planner cannot flatten, and changed with an insert that conflicts. The order of
// plain joins would depend on the estimated size of the table.
const columns = "key_hash, fingerprint, owner, state, fence, lease_until, expires_at, size, payload"
const change = `on conflict (key_hash) do update set fingerprint = excluded.fingerprint, owner = excluded.owner,
      state = excluded.state, fence = excluded.fence, lease_until = excluded.lease_until,
      expires_at = excluded.expires_at, size = excluded.size`

// If none of the keys has a record, which is the usual case, the records are inserted directly.
//
// Otherwise only rows that the snapshot shows as free are locked, so replays and refusals write nothing. Locked rows are
// skipped, so no call waits for a transaction that settles. New rows are inserted in the order of their keys, so concurrent
// calls do not deadlock. Rows that were skipped, or inserted by another transaction since the snapshot, have no result; the
// caller asks again.
const acquire = `
create or replace function ${acquireRoutine}(
  in_keys text[], in_fingerprints text[], in_states text[], in_owner text, in_lease int8, in_ttl int8, in_now int8)
returns table (key_hash text, tag text, fence int4, payload text, left_ms float8) ${routineOptions} as $routine$
#variable_conflict use_column
begin
  perform from unnest(in_keys) as i (k)
  cross join lateral (select from multistatus_idempotency r where r.key_hash = i.k offset 0) r limit 1;
  if not found then
    begin
      insert into multistatus_idempotency (${columns})
      with ${postgresClock("in_now")}
      select i.k, i.f, in_owner, i.s, 1, c.t + in_lease, c.t + in_ttl, 0, ''
      from unnest(in_keys, in_fingerprints, in_states) as i (k, f, s) cross join clock c order by i.k collate "C";
      return query select i.k, 'fresh', 1, '', null::float8 from unnest(in_keys) as i (k);
      return;
    exception when unique_violation then
    end;
  end if;
  return query with ${postgresClock("in_now")}, seen as materialized (
    select i.k, i.f, i.s, r.key_hash is not null as known, ${takeable} as takeable, r.fingerprint = i.f as same, r.state,
      r.lease_until - c.t as left_ms, case when r.state = 'done' and r.fingerprint = i.f then r.payload end as payload
    from unnest(in_keys, in_fingerprints, in_states) as i (k, f, s) cross join clock c
    left join lateral (select * from multistatus_idempotency r where r.key_hash = i.k offset 0) r on true
  ), locked as materialized (
    select i.k, i.f, r.was, c.t, case r.was when 'mine' then r.state else i.s end as state,
      case r.was when 'absent' then 1 when 'mine' then r.fence else r.fence + 1 end as fence,
      case when r.was in ('mine', 'taken-over') then r.size else 0 end as size,
      case when r.was in ('mine', 'taken-over') then r.payload else '' end as payload
    from (select * from seen where takeable order by k collate "C") i cross join clock c cross join lateral (
      select r.*, case
        when r.expires_at <= c.t then 'absent' when r.state = 'released' then 'released'
        when r.owner = in_owner then 'mine' else 'taken-over' end as was
      from multistatus_idempotency r where r.key_hash = i.k and ${takeable} for update of r skip locked
    ) r
  ), updated as (
    insert into multistatus_idempotency as r (${columns})
    select l.k, l.f, in_owner, l.state, l.fence, l.t + in_lease, l.t + in_ttl, l.size, '' from locked l
    ${change},
      payload = case when r.state in ('pending', 'held') and r.size = excluded.size then r.payload else '' end
  ), inserted as (
    insert into multistatus_idempotency (${columns})
    select i.k, i.f, in_owner, i.s, 1, c.t + in_lease, c.t + in_ttl, 0, '' from seen i cross join clock c
    where not i.known order by i.k collate "C"
    on conflict do nothing returning key_hash
  )
  select l.k, case when l.was in ('absent', 'released') then 'fresh' else l.was end, l.fence, l.payload, null::float8
  from locked l
  union all
  select a.key_hash, 'fresh', 1, '', null from inserted a
  union all
  select i.k, case
      when not i.same then 'mismatch' when i.state = 'done' then 'replay'
      when i.left_ms > 0 then 'in-progress' else 'indeterminate' end,
    0, i.payload, i.left_ms::float8
  from seen i where i.known and not i.takeable;
end
$routine$`

// Records of other owners are not locked. A result recreates a record that was removed or has expired. Rows that another
// transaction has changed or inserted since the snapshot have no result; the caller asks again. The physical place of a row
// (ctid) identifies its version, so the state that was read is still current when the row is changed.
const settle = `
create or replace function ${settleRoutine}(
  in_keys text[], in_fingerprints text[], in_actions text[], in_payloads text[], in_before int4[], in_after int4[],
  in_owner text, in_lease int8, in_ttl int8, in_result_ttl int8, in_now int8)
returns table (key_hash text, tag text) ${routineOptions} as $routine$
#variable_conflict use_column
begin
  return query with ${postgresClock("in_now")}, seen as materialized (
    select i.k, i.f, i.a, i.p, i.z, c.t, r.place, case
      when r.place is null or r.expires_at <= c.t then
        case i.a when 'complete' then 'recreated' when 'release' then 'already' else 'refused' end
      when r.owner <> in_owner then 'refused'
      when r.state = 'done' then case i.a when 'complete' then 'already' else 'refused' end
      when r.state = 'released' then case i.a when 'release' then 'already' else 'refused' end
      when i.a <> 'append' then 'applied'
      when r.size = i.z and right(r.payload, char_length(i.p)) = i.p then 'repeated'
      when r.size = i.b then 'applied' else 'refused' end as tag
    from (select * from unnest(in_keys, in_fingerprints, in_actions, in_payloads, in_before, in_after)
      as i (k, f, a, p, b, z) order by k collate "C") i cross join clock c
    left join lateral (select r.ctid as place, r.* from multistatus_idempotency r where r.key_hash = i.k offset 0) r on true
  ), changed as (
    update multistatus_idempotency r set
      state = case i.a when 'complete' then 'done' when 'release' then 'released' else r.state end,
      lease_until = case when i.a in ('append', 'extend') then i.t + in_lease else r.lease_until end,
      expires_at = i.t + case i.a when 'complete' then in_result_ttl else in_ttl end,
      size = case i.a when 'append' then i.z when 'extend' then r.size else 0 end,
      payload = case when i.a in ('complete', 'release') then i.p
        when i.a = 'extend' or i.tag = 'repeated' then r.payload else r.payload || i.p end
    from seen i where r.ctid = i.place and i.tag in ('applied', 'repeated')
    returning i.k, i.tag
  ), recreated as (
    insert into multistatus_idempotency as r (${columns})
    select i.k, i.f, in_owner, 'done', 1, i.t, i.t + in_result_ttl, 0, i.p from seen i
    where i.tag = 'recreated' order by i.k collate "C"
    ${change}, payload = excluded.payload where r.expires_at <= excluded.lease_until
    returning key_hash
  )
  select i.k, case i.tag when 'repeated' then 'already' else i.tag end from changed i
  union all
  select key_hash, 'recreated' from recreated
  union all
  select i.k, i.tag from seen i where i.tag in ('already', 'refused');
end
$routine$`

/** The statements that create the routines. Each can be run again. @internal */
export const postgresIdempotencyRoutines: ReadonlyArray<string> = [acquire, settle]
