/** The arguments of the idempotency scripts, and the results that are read from their replies. */
import type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyStore,
  IdempotencyTimes,
  SettleItem,
} from "@multistatus/core/store"
import { acquired } from "./IdempotencyScripts.ts"

/** Arguments of a script, after its keys. */
export type Arguments = ReadonlyArray<string | number>

/** Returns the arguments of `acquire`. */
export const acquireArguments =
  (times: IdempotencyTimes) =>
  (items: ReadonlyArray<AcquireItem>): Arguments => {
    const { now, owner } = times
    const claim = claimTimes(times)
    const record = recordMaker(owner, claim)
    const records = items.map(({ mode, fingerprint }) => record(mode === "hold" ? "H" : "P", fingerprint))
    return [...clock(now), owner, pendingTtl(times), claim, ...records]
  }

/** Returns the arguments of `settle`. */
export const settleArguments =
  (times: IdempotencyTimes) =>
  (items: ReadonlyArray<SettleItem>): Arguments => {
    const { now, owner } = times
    const resultTtlMs = clampMs(times.resultTtlMs)
    const record = recordMaker(owner, timesText(now, 0, resultTtlMs))
    let actions = ""
    const texts = items.map(({ fingerprint, action }) => {
      actions += actionLetters[action._tag]
      if (action._tag === "complete") return record("D", fingerprint) + action.result
      return action._tag === "append" ? `${action.at}:${action.chunk.length}:${action.chunk}` : ""
    })
    return [...clock(now), owner, pendingTtl(times), resultTtlMs, claimTimes(times), actions, ...texts]
  }

const actionLetters = { complete: "C", append: "A", extend: "E", release: "R" } as const

/** Returns the arguments of `resolve`. */
export const resolveArguments = (
  decision: Parameters<NonNullable<IdempotencyStore["resolve"]>>[1],
  now: number | undefined,
): Arguments => {
  if (decision === "forget") return [...clock(now), "", "", ""]
  const ttlMs = clampMs(decision.resultTtlMs)
  return [...clock(now), ttlMs, timesText(now, 0, ttlMs), decision.result]
}

/** Returns the argument for the time. An empty text selects the server's clock. */
export const clock = (now: number | undefined): Arguments => [now ?? ""]

/** A hundred years. Longer times do not fit into a record. */
const maximumMs = 100 * 365 * 86_400_000

const clampMs = (milliseconds: number): number => Math.min(Math.ceil(milliseconds), maximumMs)

const pendingTtl = ({ pendingTtlMs }: IdempotencyTimes): number => clampMs(pendingTtlMs)

const claimTimes = (times: IdempotencyTimes): string => timesText(times.now, clampMs(times.leaseMs), pendingTtl(times))

// With the server's clock, the record stores the time between the end of the lease and its expiry, and Redis its expiry.
const timesText = (now: number | undefined, leaseMs: number, ttlMs: number): string =>
  now === undefined
    ? `${padDigits(13, Math.max(0, ttlMs - leaseMs))}${padDigits(13, 0)}`
    : `${padDigits(13, now + leaseMs)}${padDigits(13, now + ttlMs)}`

const padDigits = (length: number, number: number): string => String(Math.trunc(number)).padStart(length, "0")

/** Returns a function that makes records with the fence 1 and no journal. A result is appended to the record. */
const recordMaker = (owner: string, times: string) => {
  const [head, tail] = [`00000001${hash(22, owner)}`, `${times}${padDigits(10, 0)}`]
  return (state: string, fingerprint: string) => `${state}${head}${hash(43, fingerprint)}${tail}`
}

/**
 * Returns the text if it has the given number of base64url characters, or else throws.
 *
 * **Details** The fields of a record have fixed positions. A text of another length would shift the fields after it.
 */
export const hash = (length: number, text: string): string => {
  if (text.length === length && /^[\w-]*$/.test(text)) return text
  throw new Error(`A hash must have ${length} characters of base64url, but is ${JSON.stringify(text)}`)
}

/** Reads the reply of `acquire` for one item. */
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

/** Reads the reply of `peek`. */
export const toRecord = ([state, fence, leaseLeftMs]: ReadonlyArray<unknown>): IdempotencyRecord => ({
  state: states[state as keyof typeof states],
  fence: Number(fence),
  leaseLeftMs: Number(leaseLeftMs),
})
