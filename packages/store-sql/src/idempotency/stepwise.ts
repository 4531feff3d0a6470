/**
 * The idempotency store in several statements, for databases whose statements cannot change rows and return their previous
 * state: MySQL, MariaDB and SQLite.
 *
 * Every statement writes a random mark to the column `claim` of the rows that it changes. The mark identifies these rows in
 * the result of the statement or in the next statement. Every statement is atomic and can be repeated.
 */
import { randomBytes } from "node:crypto"

import type { Acquired, AcquireItem, IdempotencyTimes, Settled, SettleItem } from "@multistatus/core/store"

import { type IdempotencyDialect, payloadOf, sizesOf, stateOf, toRecord } from "./IdempotencyDialect.ts"
import { escapePayload, unescapePayload } from "./IdempotencyPayload.ts"
import type { Reply, Row, Session } from "../database/Session.ts"

/**
 * The statements of a database. Names after a colon are parameters; `:items` is a JSON array of arrays.
 *
 * @internal
 */
export interface StepwiseTexts {
  /** Claims free keys and marks them with `fresh`, `absent`, `released`, `mine` or `taken`. */
  readonly claim: string
  /** Reads the records of keys. */
  readonly look: string
  /** Applies the allowed actions and marks the rows with `claim`. */
  readonly change: string
  /** Reads the records of keys that `change` did not change. `again` tells that a chunk was appended before. */
  readonly explain: string
  /** Stores results whose records were removed or have expired, and marks the rows with `claim`. */
  readonly recreate: string
  readonly peek: string
  readonly resolve: string
  /** Reads the keys of expired records. */
  readonly expired: string
  /** Removes the expired records among keys. */
  readonly purge: string
}

/** The properties of a database. @internal */
export interface StepwiseOptions {
  readonly texts: (session: Session) => StepwiseTexts | Promise<StepwiseTexts>
  /** Whether `claim` returns rows. If not, the records are read first, to avoid waiting for locks of taken keys. */
  readonly returning: (session: Session) => boolean | Promise<boolean>
  /** Returns whether an error is a lock timeout. */
  readonly isLocked: (error: unknown) => boolean
}

/** Makes the dialect of the given statements. @internal */
export const stepwiseIdempotency = ({ texts, returning, isLocked }: StepwiseOptions): IdempotencyDialect => {
  const acquire = async (session: Session, items: ReadonlyArray<AcquireItem>, times: IdempotencyTimes) => {
    const text = await texts(session)
    const mark = newMark()
    const records = new Map<unknown, Row>()
    const look = async (on: Session, subset: ReadonlyArray<AcquireItem>) => {
      if (subset.length === 0) return
      const values = { items: JSON.stringify(subset.map(({ key }) => [key])), now: times.now, mark }
      for (const row of (await send(on, text.look, values)).rows) records.set(row["key_hash"], row)
    }
    const resultOf = (item: AcquireItem) => toAcquired(records.get(item.key), item, times.owner, mark)
    const claim = async (on: Session, free: ReadonlyArray<AcquireItem>) => {
      try {
        for (const row of (await send(on, text.claim, claimValues(free, times, mark))).rows)
          records.set(row["key_hash"], row)
      } catch (error) {
        if (!isLocked(error)) throw error
      }
      await look(
        on,
        free.filter((item) => resultOf(item) === undefined),
      )
    }

    if (await returning(session)) await claim(session, items)
    else {
      await look(session, items)
      const free = items.filter((item) => resultOf(item) === undefined)
      // One transaction, so that a repeated call cannot overwrite the mark before it is read.
      if (free.length > 0) await session.atomically((inside) => claim(inside, free))
    }
    return items.map(resultOf)
  }

  const settle = async (session: Session, items: ReadonlyArray<SettleItem>, times: IdempotencyTimes) => {
    const text = await texts(session)
    const change = async (some: ReadonlyArray<SettleItem>, claim: string) =>
      (await send(session, text.change, settleValues(some, times, claim))).affected
    const explain = async (some: ReadonlyArray<SettleItem>, claim: string) => {
      const { rows } = await send(session, text.explain, settleValues(some, times, claim))
      return new Map(rows.map((row) => [row["key_hash"], row]))
    }

    const claim = newMark()
    if ((await change(items, claim)) === items.length) return items.map((): Settled => "applied")
    const rows = await explain(items, claim)
    const settled = new Map(items.map((item) => [item, toSettled(rows.get(item.key), item, times.owner, claim)]))
    const repeated = items.filter((item) => item.action._tag === "append" && settled.get(item) === "already")
    const removed = items.filter(
      (item) => item.action._tag === "complete" && settled.get(item) === "refused" && isAbsent(rows.get(item.key)),
    )
    if (repeated.length > 0) await change(repeated.map(asExtension), newMark())
    if (removed.length > 0) {
      const secondClaim = newMark()
      await send(session, text.recreate, settleValues(removed, times, secondClaim))
      const after = await explain(removed, secondClaim)
      for (const item of removed) {
        const row = after.get(item.key)
        settled.set(item, row?.["claim"] === secondClaim ? "recreated" : toSettled(row, item, times.owner, secondClaim))
      }
    }
    return items.map((item) => settled.get(item))
  }

  return {
    acquire,
    settle: async (session, items, times) => {
      const results = new Map<SettleItem, Settled | undefined>()
      for (const portion of portionsOf(sortByKey(items))) {
        const settled = await settle(session, portion, times)
        portion.forEach((item, index) => results.set(item, settled[index]))
      }
      return items.map((item) => results.get(item))
    },
    peek: async (session, key, now) =>
      toRecord((await send(session, (await texts(session)).peek, { key, now })).rows[0]),
    resolve: async (session, key, { state, payload, ttlMs }, now) => {
      const values = { key, state, payload: escapePayload(payload), ttl: ttlMs, now }
      return (await send(session, (await texts(session)).resolve, values)).affected > 0
    },
    purge: async (session, limit, now) => {
      const { expired, purge } = await texts(session)
      const { rows } = await send(session, expired, { limit, now })
      if (rows.length === 0) return 0
      // Rows are deleted by key. A deletion by time would lock all rows that it scans.
      const items = JSON.stringify(rows.map((row) => [row["key_hash"]]))
      return (await send(session, purge, { items, now })).affected
    },
  }
}

type Values = Readonly<Record<string, string | number | undefined>>

/** Runs a statement with named parameters. */
const send = (session: Session, text: string, values: Values): Promise<Reply> => {
  const parameters: Array<unknown> = []
  const positional = text.replace(/:([a-z]+)\b/g, (_, name: string) => {
    parameters.push(values[name] ?? null)
    return "?"
  })
  return session.run(positional, parameters)
}

/** Returns a random mark of 16 characters. */
const newMark = (): string => randomBytes(12).toString("base64url")

// All calls lock keys in the same order, so they do not deadlock.
const sortByKey = <Item extends { readonly key: string }>(items: ReadonlyArray<Item>): ReadonlyArray<Item> =>
  items.toSorted((left, right) => (left.key < right.key ? -1 : 1))

/** Maximum length of the payloads of one statement, in UTF-16 code units. Servers limit the size of a packet. */
const maximumPortionLength = 2 ** 20

const portionsOf = (items: ReadonlyArray<SettleItem>): ReadonlyArray<ReadonlyArray<SettleItem>> => {
  const portions: Array<Array<SettleItem>> = []
  let remaining = 0
  for (const item of items) {
    const { length } = payloadOf(item)
    if (portions.length === 0 || length > remaining) {
      portions.push([])
      remaining = maximumPortionLength
    }
    portions.at(-1)!.push(item)
    remaining -= length
  }
  return portions
}

const valuesOf = ({ owner, leaseMs, pendingTtlMs, resultTtlMs, now }: IdempotencyTimes): Values => ({
  owner,
  lease: leaseMs,
  ttl: pendingTtlMs,
  result: resultTtlMs,
  now,
})

const claimValues = (items: ReadonlyArray<AcquireItem>, times: IdempotencyTimes, mark: string): Values => ({
  ...valuesOf(times),
  items: JSON.stringify(sortByKey(items).map((item) => [item.key, item.fingerprint, stateOf(item)])),
  mark,
  fresh: `${mark}f`,
  absent: `${mark}a`,
  released: `${mark}r`,
  mine: `${mark}m`,
  taken: `${mark}t`,
})

const settleValues = (items: ReadonlyArray<SettleItem>, times: IdempotencyTimes, claim: string): Values => ({
  ...valuesOf(times),
  items: JSON.stringify(
    items.map((item) => [
      item.key,
      item.fingerprint,
      item.action._tag,
      escapePayload(payloadOf(item)),
      ...sizesOf(item),
    ]),
  ),
  claim,
})

const asExtension = ({ key, fingerprint }: SettleItem): SettleItem => ({ key, fingerprint, action: { _tag: "extend" } })

const isAbsent = (row: Row | undefined): boolean => row === undefined || Number(row["expired"]) === 1

const toAcquired = (row: Row | undefined, item: AcquireItem, owner: string, mark: string): Acquired | undefined => {
  if (row === undefined) return undefined
  const fence = Number(row["fence"])
  const payload = () => unescapePayload(String(row["payload"]))
  const claim = String(row["claim"])
  if (claim.startsWith(mark)) {
    if (claim.endsWith("m")) return { _tag: "mine", fence, journal: payload() }
    return claim.endsWith("t") ? { _tag: "taken-over", fence, journal: payload() } : { _tag: "fresh", fence }
  }
  const state = row["state"]
  if (isAbsent(row) || state === "released") return undefined
  if (row["fingerprint"] !== item.fingerprint) return { _tag: "mismatch" }
  if (state === "done") return { _tag: "replay", result: payload() }
  const left = Number(row["left_ms"])
  if (row["owner"] === owner || (state === "pending" && left <= 0)) return undefined
  return left > 0 ? { _tag: "in-progress", retryAfterMs: left } : { _tag: "indeterminate" }
}

const toSettled = (row: Row | undefined, { action }: SettleItem, owner: string, claim: string): Settled | undefined => {
  if (row?.["claim"] === claim) return "applied"
  if (row === undefined || isAbsent(row)) return action._tag === "release" ? "already" : "refused"
  if (row["owner"] !== owner) return "refused"
  const state = row["state"]
  if (state === "done") return action._tag === "complete" ? "already" : "refused"
  if (state === "released") return action._tag === "release" ? "already" : "refused"
  if (action._tag !== "append") return undefined
  return Number(row["again"]) === 1 ? "already" : "refused"
}
