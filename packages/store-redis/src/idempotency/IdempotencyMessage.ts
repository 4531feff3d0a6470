/** What the store says to its scripts, and how their answers read. */
import type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyStore,
  IdempotencyTimes,
  SettleItem,
} from "@multistatus/core/store"
import { acquired } from "./IdempotencyScripts.ts"

export type Arguments = ReadonlyArray<string | number>

/** The arguments of `acquire`. */
export const acquireArguments =
  (times: IdempotencyTimes) =>
  (items: ReadonlyArray<AcquireItem>): Arguments => {
    const { now, owner } = times
    const claim = claimTimes(times)
    const record = recordsOf(owner, claim)
    const records = items.map(({ mode, fingerprint }) => record(mode === "hold" ? "H" : "P", fingerprint))
    return [...clock(now), owner, pendingTtl(times), claim, ...records]
  }

/** The arguments of `settle`. */
export const settleArguments =
  (times: IdempotencyTimes) =>
  (items: ReadonlyArray<SettleItem>): Arguments => {
    const { now, owner } = times
    const resultTtlMs = lasting(times.resultTtlMs)
    const record = recordsOf(owner, timesText(now, 0, resultTtlMs))
    let todos = ""
    const texts = items.map(({ fingerprint, action }) => {
      todos += letters[action._tag]
      if (action._tag === "complete") return record("D", fingerprint) + action.result
      return action._tag === "append" ? `${action.at}:${action.chunk.length}:${action.chunk}` : ""
    })
    return [...clock(now), owner, pendingTtl(times), resultTtlMs, claimTimes(times), todos, ...texts]
  }

const letters = { complete: "C", append: "A", extend: "E", release: "R" } as const

/** The arguments of `resolve`. */
export const resolveArguments = (
  decision: Parameters<NonNullable<IdempotencyStore["resolve"]>>[1],
  now: number | undefined,
): Arguments => {
  if (decision === "forget") return [...clock(now), "", "", ""]
  const ttlMs = lasting(decision.resultTtlMs)
  return [...clock(now), ttlMs, timesText(now, 0, ttlMs), decision.result]
}

/** The time that was given, or else the server's. */
export const clock = (now: number | undefined): Arguments => [now ?? ""]

/** A hundred years: longer than that, times do not fit into a record. */
const longestMs = 100 * 365 * 86_400_000

const lasting = (milliseconds: number): number => Math.min(Math.ceil(milliseconds), longestMs)

const pendingTtl = ({ pendingTtlMs }: IdempotencyTimes): number => lasting(pendingTtlMs)

const claimTimes = (times: IdempotencyTimes): string => timesText(times.now, lasting(times.leaseMs), pendingTtl(times))

// Without a time that is given, all that is known is how long before its end a record's lease is over.
const timesText = (now: number | undefined, leaseMs: number, ttlMs: number): string =>
  now === undefined
    ? `${digits(13, Math.max(0, ttlMs - leaseMs))}${digits(13, 0)}`
    : `${digits(13, now + leaseMs)}${digits(13, now + ttlMs)}`

const digits = (length: number, number: number): string => String(Math.trunc(number)).padStart(length, "0")

/** Makes records with a fence of 1 that have no journal yet; results are put behind them. */
const recordsOf = (owner: string, times: string) => {
  const [before, behind] = [`00000001${hash(22, owner)}`, `${times}${digits(10, 0)}`]
  return (state: string, fingerprint: string) => `${state}${before}${hash(43, fingerprint)}${behind}`
}

/**
 * The text, if it is so many characters of base64url.
 *
 * **Details** Records are cut at fixed places: whatever had another length would end up in its neighbour's.
 */
export const hash = (length: number, text: string): string => {
  if (text.length === length && /^[\w-]*$/.test(text)) return text
  throw new Error(`Not ${length} characters of base64url: ${JSON.stringify(text)}`)
}

/** Reads what `acquire` answered about an item. */
export const toAcquired = ([tag, number, text]: ReadonlyArray<unknown>): Acquired => {
  const _tag = acquired[Number(tag)]!
  switch (_tag) {
    case "fresh":
      return { _tag, fence: Number(number) }
    case "taken-over":
    case "mine":
      return { _tag, fence: Number(number), journal: String(text) }
    case "replay":
      return { _tag, result: String(text) }
    case "in-progress":
      return { _tag, retryAfterMs: Number(number) }
    case "mismatch":
    case "indeterminate":
      return { _tag }
  }
}

const states = { P: "pending", H: "held", D: "done", R: "released" } as const

/** Reads what `peek` answered. */
export const toRecord = ([state, fence, leaseLeftMs]: ReadonlyArray<unknown>): IdempotencyRecord => ({
  state: states[state as keyof typeof states],
  fence: Number(fence),
  leaseLeftMs: Number(leaseLeftMs),
})
