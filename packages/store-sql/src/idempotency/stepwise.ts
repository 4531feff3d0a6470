/**
 * The idempotency store in small steps, for databases whose statements cannot both change rows and say what they were:
 * MySQL, MariaDB and SQLite.
 *
 * Every statement marks the rows it changes with a random `claim`, so that the next one, or the statement itself where it
 * answers with rows, tells which they are. Every step is atomic by itself and can be repeated.
 */
import { randomBytes } from "node:crypto"

import type { Acquired, AcquireItem, IdempotencyTimes, Settled, SettleItem } from "@multistatus/core/store"

import { type IdempotencyDialect, payloadOf, sizesOf, stateOf, toRecord } from "./IdempotencyDialect.ts"
import { escapePayload, unescapePayload } from "./IdempotencyPayload.ts"
import type { Reply, Row, Session } from "../database/Session.ts"

/**
 * The statements of a database. What follows a colon is given by name; `items` is a JSON array of arrays.
 *
 * @internal
 */
export interface StepwiseTexts {
  /** Claims what is free, with the marks `fresh`, `absent`, `released`, `mine` and `taken`. */
  readonly claim: string
  /** What is known of keys. */
  readonly look: string
  /** Applies what may be applied, with the mark `claim`. */
  readonly change: string
  /** What is known of keys that were to be changed; `again` where a chunk was appended before. */
  readonly explain: string
  /** Stores results whose records have vanished, with the mark `claim`. */
  readonly recreate: string
  readonly peek: string
  readonly resolve: string
  readonly expired: string
  readonly purge: string
}

/** @internal */
export interface StepwiseOptions {
  readonly texts: (session: Session) => StepwiseTexts | Promise<StepwiseTexts>
  /** Whether `claim` answers with rows. Where it does not, keys are looked at first: nobody waits for a lock in vain. */
  readonly returning: (session: Session) => boolean | Promise<boolean>
  /** Whether an error says that somebody held a key for too long. */
  readonly isLocked: (error: unknown) => boolean
}

/** @internal */
export const stepwiseIdempotency = ({ texts, returning, isLocked }: StepwiseOptions): IdempotencyDialect => {
  const acquire = async (session: Session, items: ReadonlyArray<AcquireItem>, times: IdempotencyTimes) => {
    const text = await texts(session)
    const mark = newMark()
    const seen = new Map<unknown, Row>()
    const look = async (on: Session, some: ReadonlyArray<AcquireItem>) => {
      if (some.length === 0) return
      const values = { items: JSON.stringify(some.map(({ key }) => [key])), now: times.now, mark }
      for (const row of (await send(on, text.look, values)).rows) seen.set(row["key_hash"], row)
    }
    const judge = (item: AcquireItem) => toAcquired(seen.get(item.key), item, times.owner, mark)
    const claim = async (on: Session, free: ReadonlyArray<AcquireItem>) => {
      try {
        for (const row of (await send(on, text.claim, claimValues(free, times, mark))).rows)
          seen.set(row["key_hash"], row)
      } catch (error) {
        if (!isLocked(error)) throw error
      }
      await look(
        on,
        free.filter((item) => judge(item) === undefined),
      )
    }

    if (await returning(session)) await claim(session, items)
    else {
      await look(session, items)
      const free = items.filter((item) => judge(item) === undefined)
      // Together, so that the same call sent twice does not overwrite the mark in between.
      if (free.length > 0) await session.atomically((inside) => claim(inside, free))
    }
    return items.map(judge)
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
    const resent = items.filter((item) => item.action._tag === "append" && settled.get(item) === "already")
    const vanished = items.filter(
      (item) => item.action._tag === "complete" && settled.get(item) === "refused" && isGone(rows.get(item.key)),
    )
    if (resent.length > 0) await change(resent.map(asExtension), newMark())
    if (vanished.length > 0) {
      const another = newMark()
      await send(session, text.recreate, settleValues(vanished, times, another))
      const after = await explain(vanished, another)
      for (const item of vanished) {
        const row = after.get(item.key)
        settled.set(item, row?.["claim"] === another ? "recreated" : toSettled(row, item, times.owner, another))
      }
    }
    return items.map((item) => settled.get(item))
  }

  return {
    acquire,
    settle: async (session, items, times) => {
      const answers = new Map<SettleItem, Settled | undefined>()
      for (const portion of portionsOf(inOrder(items))) {
        const settled = await settle(session, portion, times)
        portion.forEach((item, index) => answers.set(item, settled[index]))
      }
      return items.map((item) => answers.get(item))
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
      // By their keys: a deletion that looks for old rows locks those that it passes by.
      const items = JSON.stringify(rows.map((row) => [row["key_hash"]]))
      return (await send(session, purge, { items, now })).affected
    },
  }
}

type Values = Readonly<Record<string, string | number | undefined>>

/** Sends a text whose values stand in it by name. */
const send = (session: Session, text: string, values: Values): Promise<Reply> => {
  const parameters: Array<unknown> = []
  const positional = text.replace(/:([a-z]+)\b/g, (_, name: string) => {
    parameters.push(values[name] ?? null)
    return "?"
  })
  return session.run(positional, parameters)
}

/** 16 characters. */
const newMark = (): string => randomBytes(12).toString("base64url")

// Those who lock keys in one order do not wait for each other in a circle.
const inOrder = <Item extends { readonly key: string }>(items: ReadonlyArray<Item>): ReadonlyArray<Item> =>
  items.toSorted((left, right) => (left.key < right.key ? -1 : 1))

/** UTF-16 code units of payload in one statement; servers refuse packets that are too large. */
const portionSize = 2 ** 20

const portionsOf = (items: ReadonlyArray<SettleItem>): ReadonlyArray<ReadonlyArray<SettleItem>> => {
  const portions: Array<Array<SettleItem>> = []
  let room = 0
  for (const item of items) {
    const size = payloadOf(item).length
    if (portions.length === 0 || size > room) {
      portions.push([])
      room = portionSize
    }
    portions.at(-1)!.push(item)
    room -= size
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
  items: JSON.stringify(inOrder(items).map((item) => [item.key, item.fingerprint, stateOf(item)])),
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

const isGone = (row: Row | undefined): boolean => row === undefined || Number(row["expired"]) === 1

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
  if (isGone(row) || state === "released") return undefined
  if (row["fingerprint"] !== item.fingerprint) return { _tag: "mismatch" }
  if (state === "done") return { _tag: "replay", result: payload() }
  const left = Number(row["left_ms"])
  if (row["owner"] === owner || (state === "pending" && left <= 0)) return undefined
  return left > 0 ? { _tag: "in-progress", retryAfterMs: left } : { _tag: "indeterminate" }
}

const toSettled = (row: Row | undefined, { action }: SettleItem, owner: string, claim: string): Settled | undefined => {
  if (row?.["claim"] === claim) return "applied"
  if (row === undefined || isGone(row)) return action._tag === "release" ? "already" : "refused"
  if (row["owner"] !== owner) return "refused"
  const state = row["state"]
  if (state === "done") return action._tag === "complete" ? "already" : "refused"
  if (state === "released") return action._tag === "release" ? "already" : "refused"
  if (action._tag !== "append") return undefined
  return Number(row["again"]) === 1 ? "already" : "refused"
}
