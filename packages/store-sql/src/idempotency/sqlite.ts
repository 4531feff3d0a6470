/**
 * The statements of the idempotency store on SQLite.
 */
import { stepwiseIdempotency, type StepwiseTexts } from "./stepwise.ts"

/** The current time in milliseconds, or the parameter `now`. @internal */
export const sqliteNow = "coalesce(:now, cast(round(unixepoch('now', 'subsec') * 1000) as integer))"

const keys = "(select json_extract(value, '$[0]') as k from json_each(:items)) as i"
const settleItems = `(select json_extract(value, '$[0]') as k, json_extract(value, '$[1]') as f,
  json_extract(value, '$[2]') as a, json_extract(value, '$[3]') as p, json_extract(value, '$[4]') as b,
  json_extract(value, '$[5]') as z from json_each(:items)) as i`

const columns = "key_hash, fingerprint, owner, state, fence, lease_until, expires_at, size, payload, claim"

const takeable = `(r.expires_at <= ${sqliteNow} or r.state = 'released' or (r.fingerprint = excluded.fingerprint and r.state <> 'done'
  and (r.owner = :owner or (r.state = 'pending' and r.lease_until <= ${sqliteNow}))))`

const isNew = `(r.expires_at <= ${sqliteNow} or r.state = 'released')`

// The journal is returned only to the claim that has just acquired it.
const recordColumns = `key_hash, fingerprint, owner, state, fence, lease_until - ${sqliteNow} as left_ms, expires_at <= ${sqliteNow} as expired,
  claim, case when state = 'done' or substr(claim, 1, 16) = :mark then payload end as payload`

const claim = `insert into multistatus_idempotency as r (${columns})
select json_extract(value, '$[0]'), json_extract(value, '$[1]'), :owner, json_extract(value, '$[2]'), 1,
  ${sqliteNow} + :lease, ${sqliteNow} + :ttl, 0, '', :fresh from json_each(:items) where true
on conflict (key_hash) do update set
  fingerprint = excluded.fingerprint, owner = excluded.owner,
  state = case when ${isNew} or r.owner <> :owner then excluded.state else r.state end,
  fence = case when r.expires_at <= ${sqliteNow} then 1 when r.state <> 'released' and r.owner = :owner then r.fence
    else r.fence + 1 end,
  lease_until = excluded.lease_until, expires_at = excluded.expires_at,
  size = case when ${isNew} then 0 else r.size end, payload = case when ${isNew} then '' else r.payload end,
  claim = case when r.expires_at <= ${sqliteNow} then :absent when r.state = 'released' then :released
    when r.owner = :owner then :mine else :taken end
where ${takeable}
returning ${recordColumns}`

const look = `select ${recordColumns} from ${keys} cross join multistatus_idempotency on key_hash = i.k`

const again = "i.a = 'append' and r.size = i.z and substr(r.payload, length(r.payload) - length(i.p) + 1) = i.p"

const change = `update multistatus_idempotency as r set
  lease_until = case when i.a in ('append', 'extend') then ${sqliteNow} + :lease else r.lease_until end,
  expires_at = ${sqliteNow} + case i.a when 'complete' then :result else :ttl end,
  size = case i.a when 'append' then i.z when 'extend' then r.size else 0 end,
  payload = case i.a when 'append' then r.payload || i.p when 'extend' then r.payload else i.p end,
  state = case i.a when 'complete' then 'done' when 'release' then 'released' else r.state end,
  claim = :claim
from ${settleItems}
where r.key_hash = i.k and r.expires_at > ${sqliteNow} and r.owner = :owner and r.state in ('pending', 'held')
  and (i.a <> 'append' or (r.size = i.b and i.z > i.b))`

const explain = `select r.key_hash, r.owner, r.state, r.claim, r.expires_at <= ${sqliteNow} as expired, ${again} as again
from ${settleItems} cross join multistatus_idempotency r on r.key_hash = i.k`

const recreate = `insert into multistatus_idempotency as r (${columns})
select i.k, i.f, :owner, 'done', 1, ${sqliteNow}, ${sqliteNow} + :result, 0, i.p, :claim from ${settleItems} where true
on conflict (key_hash) do update set fingerprint = excluded.fingerprint, owner = excluded.owner, state = excluded.state,
  fence = excluded.fence, lease_until = excluded.lease_until, expires_at = excluded.expires_at, size = excluded.size,
  payload = excluded.payload, claim = excluded.claim
where r.expires_at <= ${sqliteNow}`

// The record loses its owner: the previous owner must not settle it later or mistake this result for its own.
const resolve = `update multistatus_idempotency
set expires_at = coalesce(${sqliteNow} + :ttl, expires_at), owner = '', size = 0, payload = :payload, state = :state
where key_hash = :key and state = 'held' and lease_until <= ${sqliteNow} and expires_at > ${sqliteNow}`

/** The statements for SQLite. @internal */
export const sqliteIdempotencyTexts: StepwiseTexts = {
  claim,
  look,
  change,
  explain,
  recreate,
  resolve,
  peek: `select state, fence, lease_until - ${sqliteNow} as left_ms from multistatus_idempotency
    where key_hash = :key and expires_at > ${sqliteNow}`,
  expired: `select key_hash from multistatus_idempotency where expires_at <= ${sqliteNow} order by expires_at limit :limit`,
  purge: `delete from multistatus_idempotency
    where key_hash in (select json_extract(value, '$[0]') from json_each(:items)) and expires_at <= ${sqliteNow}`,
}

/** @internal */
export const sqliteIdempotency = stepwiseIdempotency({
  texts: () => sqliteIdempotencyTexts,
  returning: () => true,
  isLocked: () => false,
})
