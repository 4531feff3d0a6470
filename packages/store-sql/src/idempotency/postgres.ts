/**
 * The idempotency store on PostgreSQL and PGlite. It calls one routine for any number of keys.
 */
import type { Acquired, Settled } from "@multistatus/core/store"

import { type IdempotencyDialect, payloadOf, sizesOf, stateOf, toRecord } from "./IdempotencyDialect.ts"
import { escapePayload, unescapePayload } from "./IdempotencyPayload.ts"
import { acquireRoutine, postgresClock, settleRoutine } from "./postgresRoutines.ts"
import type { Row } from "../database/Session.ts"

const prepareMark = "/* multistatus prepare */ "
const acquire = `${prepareMark}select * from ${acquireRoutine}($1, $2, $3, $4, $5, $6, $7)`
const settle = `${prepareMark}select * from ${settleRoutine}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
// A single record, such as that of a batch, may be large. In an array its text would have to be escaped and parsed.
const settleOne = `${prepareMark}select * from ${settleRoutine}(array[$1::text], array[$2::text], array[$3::text],
  array[$4::text], array[$5::int4], array[$6::int4], $7, $8, $9, $10, $11)`

const peek = `${prepareMark}with ${postgresClock("$2::int8")}
select r.state, r.fence, (r.lease_until - c.t)::float8 as left_ms
from multistatus_idempotency r cross join clock c where r.key_hash = $1 and r.expires_at > c.t`

// The record loses its owner: the previous owner must not settle it later or mistake this result for its own.
const resolve = `${prepareMark}with ${postgresClock("$5::int8")}
update multistatus_idempotency r
set owner = '', state = $2, size = 0, payload = $3, expires_at = coalesce(c.t + $4::int8, r.expires_at)
from clock c where r.key_hash = $1 and r.state = 'held' and r.lease_until <= c.t and r.expires_at > c.t
returning r.key_hash`

// The order and the array make PostgreSQL use the indexes, whatever its statistics say.
const purge = `${prepareMark}with ${postgresClock("$2::int8")}
delete from multistatus_idempotency where key_hash = any(array(
  select r.key_hash from multistatus_idempotency r
  where r.expiry_minute <= (select t / 60000 from clock) and r.expires_at <= (select t from clock)
  order by r.expiry_minute limit $1::int8 for update of r skip locked))
returning key_hash`

/** The statements. @internal */
export const postgresIdempotencyTexts = { acquire, settle, settleOne, peek, resolve, purge }

/** Makes the dialect of the given statements. @internal */
export const postgresIdempotency = (texts: typeof postgresIdempotencyTexts): IdempotencyDialect => ({
  acquire: async (session, items, { owner, leaseMs, pendingTtlMs, now }) => {
    const keys = items.map(({ key }) => key)
    const fingerprints = items.map(({ fingerprint }) => fingerprint)
    const parameters = [keys, fingerprints, items.map(stateOf), owner, leaseMs, pendingTtlMs, now ?? null]
    const rows = rowsByKey(await session.query(texts.acquire, parameters))
    return keys.map((key) => toAcquired(rows.get(key)))
  },
  settle: async (session, items, { owner, leaseMs, pendingTtlMs, resultTtlMs, now }) => {
    const keys = items.map(({ key }) => key)
    const sizes = items.map(sizesOf)
    const lists = [
      keys,
      items.map(({ fingerprint }) => fingerprint),
      items.map(({ action }) => action._tag),
      items.map((item) => escapePayload(payloadOf(item))),
      sizes.map(([before]) => before),
      sizes.map(([, after]) => after),
    ]
    const times = [owner, leaseMs, pendingTtlMs, resultTtlMs, now ?? null]
    const rows = rowsByKey(
      await (items.length === 1
        ? session.query(texts.settleOne, [...lists.map(([only]) => only), ...times])
        : session.query(texts.settle, [...lists, ...times])),
    )
    return keys.map((key) => rows.get(key)?.["tag"] as Settled | undefined)
  },
  peek: async (session, key, now) => toRecord((await session.query(texts.peek, [key, now ?? null]))[0]),
  resolve: async (session, key, { state, payload, ttlMs }, now) => {
    const parameters = [key, state, escapePayload(payload), ttlMs ?? null, now ?? null]
    return (await session.query(texts.resolve, parameters)).length > 0
  },
  purge: async (session, limit, now) => (await session.query(texts.purge, [limit, now ?? null])).length,
})

const rowsByKey = (rows: ReadonlyArray<Row>): ReadonlyMap<unknown, Row> =>
  new Map(rows.map((row) => [row["key_hash"], row]))

const toAcquired = (row: Row | undefined): Acquired | undefined => {
  const fence = Number(row?.["fence"])
  const payload = () => unescapePayload(String(row?.["payload"]))
  switch (row?.["tag"]) {
    case "fresh":
      return { _tag: "fresh", fence }
    case "taken-over":
      return { _tag: "taken-over", fence, journal: payload() }
    case "mine":
      return { _tag: "mine", fence, journal: payload() }
    case "replay":
      return { _tag: "replay", result: payload() }
    case "in-progress":
      return { _tag: "in-progress", retryAfterMs: Number(row["left_ms"]) }
    case "mismatch":
      return { _tag: "mismatch" }
    case "indeterminate":
      return { _tag: "indeterminate" }
  }
  return undefined
}
