/**
 * The statements of the idempotency store on MariaDB and MySQL.
 */
import type { Session } from "../database/Session.ts"
import { stepwiseIdempotency, type StepwiseTexts } from "./stepwise.ts"

// `utc_timestamp` is not affected by daylight saving time.
/** The current time in milliseconds, or the parameter `now`. @internal */
export const mysqlNow = "coalesce(:now, timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000)"

const claimItems = `json_table(:items, '$[*]' columns (
  k varchar(64) path '$[0]', f varchar(64) path '$[1]', s varchar(8) path '$[2]')) as i`
const settleItems = `json_table(:items, '$[*]' columns (k varchar(64) path '$[0]', f varchar(64) path '$[1]',
  a varchar(8) path '$[2]', p longtext path '$[3]', b int path '$[4]', z int path '$[5]')) as i`

// The join order and the index are fixed, because an update locks every row that it reads.
const withRows = `straight_join multistatus_idempotency r force index (primary)
  on r.key_hash = convert(i.k using ascii) collate ascii_bin`

const columns = "key_hash, fingerprint, owner, state, fence, lease_until, expires_at, size, payload, claim"

const takeable = `(expires_at <= ${mysqlNow} or state = 'released' or (fingerprint = values(fingerprint) and state <> 'done'
  and (owner = :owner or (state = 'pending' and lease_until <= ${mysqlNow}))))`

// Assignments run from left to right. The mark is assigned first and tells the others the previous state of the row.
const claim = `insert into multistatus_idempotency (${columns})
select i.k, i.f, :owner, i.s, 1, ${mysqlNow} + :lease, ${mysqlNow} + :ttl, 0, '', :fresh from ${claimItems} where true
on duplicate key update
  claim = if(${takeable}, case when expires_at <= ${mysqlNow} then :absent when state = 'released' then :released
    when owner = :owner then :mine else :taken end, claim),
  fingerprint = if(claim in (:absent, :released), values(fingerprint), fingerprint),
  owner = if(claim in (:absent, :released, :taken), values(owner), owner),
  state = if(claim in (:absent, :released, :taken), values(state), state),
  fence = case claim when :absent then 1 when :released then fence + 1 when :taken then fence + 1 else fence end,
  size = if(claim in (:absent, :released), 0, size),
  payload = if(claim in (:absent, :released), '', payload),
  lease_until = if(claim in (:absent, :released, :taken, :mine), values(lease_until), lease_until),
  expires_at = if(claim in (:absent, :released, :taken, :mine), values(expires_at), expires_at)`

// The journal is returned only to the claim that has just acquired it.
const recordColumns = (on: string) => `${on}key_hash, ${on}fingerprint, ${on}owner, ${on}state, ${on}fence,
  ${on}lease_until - ${mysqlNow} as left_ms, ${on}expires_at <= ${mysqlNow} as expired, ${on}claim,
  case when ${on}state = 'done' or left(${on}claim, 16) = :mark then ${on}payload end as payload`

const look = `select ${recordColumns("r.")} from json_table(:items, '$[*]' columns (k varchar(64) path '$[0]')) as i ${withRows}`

const again = "i.a = 'append' and r.size = i.z and binary right(r.payload, char_length(i.p)) = binary i.p"

const change = `update ${settleItems} ${withRows} set
  r.lease_until = if(i.a in ('append', 'extend'), ${mysqlNow} + :lease, r.lease_until),
  r.expires_at = ${mysqlNow} + if(i.a = 'complete', :result, :ttl),
  r.size = case i.a when 'append' then i.z when 'extend' then r.size else 0 end,
  r.payload = case i.a when 'append' then concat(r.payload, i.p) when 'extend' then r.payload else i.p end,
  r.state = case i.a when 'complete' then 'done' when 'release' then 'released' else r.state end,
  r.claim = :claim
where r.expires_at > ${mysqlNow} and r.owner = :owner and r.state in ('pending', 'held')
  and (i.a <> 'append' or (r.size = i.b and i.z > i.b))`

// The lock makes the statement read rows that were committed after the transaction began.
const explain = `select r.key_hash, r.owner, r.state, r.claim, r.expires_at <= ${mysqlNow} as expired, ${again} as again
from ${settleItems} ${withRows} lock in share mode`

const recreate = `insert into multistatus_idempotency (${columns})
select i.k, i.f, :owner, 'done', 1, ${mysqlNow}, ${mysqlNow} + :result, 0, i.p, :claim from ${settleItems} where true
on duplicate key update
  claim = if(expires_at <= ${mysqlNow}, values(claim), claim),
  fingerprint = if(claim = :claim, values(fingerprint), fingerprint), owner = if(claim = :claim, values(owner), owner),
  state = if(claim = :claim, values(state), state), fence = if(claim = :claim, 1, fence),
  size = if(claim = :claim, 0, size), payload = if(claim = :claim, values(payload), payload),
  lease_until = if(claim = :claim, values(lease_until), lease_until),
  expires_at = if(claim = :claim, values(expires_at), expires_at)`

// The record loses its owner: the previous owner must not settle it later or mistake this result for its own.
const resolve = `update multistatus_idempotency
set expires_at = coalesce(${mysqlNow} + :ttl, expires_at), owner = '', size = 0, payload = :payload, state = :state
where key_hash = :key and state = 'held' and lease_until <= ${mysqlNow} and expires_at > ${mysqlNow}`

/** The statements for MySQL. @internal */
export const mysqlIdempotencyTexts: StepwiseTexts = {
  claim,
  look,
  change,
  explain,
  recreate,
  resolve,
  peek: `select state, fence, lease_until - ${mysqlNow} as left_ms from multistatus_idempotency
    where key_hash = :key and expires_at > ${mysqlNow}`,
  expired: `select key_hash from multistatus_idempotency where expires_at <= ${mysqlNow} order by expires_at limit :limit`,
  purge: `delete r from json_table(:items, '$[*]' columns (k varchar(64) path '$[0]')) as i ${withRows}
    where r.expires_at <= ${mysqlNow}`,
}

/**
 * Returns the statements for MariaDB. They return rows, wait for a lock only one second instead of the default of 50, and
 * set an SQL mode in which assignments run from left to right.
 *
 * @internal
 */
export const toMariadb = (texts: StepwiseTexts): StepwiseTexts => ({
  ...texts,
  claim: `set statement sql_mode = 'STRICT_ALL_TABLES', innodb_lock_wait_timeout = 1 for ${texts.claim} returning ${recordColumns("")}`,
  recreate: `set statement sql_mode = 'STRICT_ALL_TABLES' for ${texts.recreate}`,
})

/** Whether the server of a pool is MariaDB. */
const mariadbPools = new WeakMap<object, boolean>()

const isMariadb = async ({ pool, query }: Session): Promise<boolean> => {
  const cached = mariadbPools.get(pool)
  if (cached !== undefined) return cached
  const [row] = await query("select version() as version", [])
  const result = String(row?.["version"]).includes("MariaDB")
  mariadbPools.set(pool, result)
  return result
}

const mariadbTexts = toMariadb(mysqlIdempotencyTexts)

const lockWaitTimeout = 1205

/** @internal */
export const mysqlIdempotency = stepwiseIdempotency({
  texts: async (session) => ((await isMariadb(session)) ? mariadbTexts : mysqlIdempotencyTexts),
  returning: isMariadb,
  isLocked: (error) => error instanceof Error && "errno" in error && error.errno === lockWaitTimeout,
})
