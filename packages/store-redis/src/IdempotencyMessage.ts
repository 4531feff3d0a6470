/**
 * What the store says to its scripts, and how their answers read.
 *
 * @since 0.1.0
 */
import type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyTimes,
  SettleAction,
  SettleItem,
} from "@multistatus/core"
import { acquired } from "./IdempotencyScripts.ts"

/** @category models @since 0.1.0 */
export type Arguments = ReadonlyArray<string | number>

/** The arguments of `acquire` that are common to all items. @category constructors @since 0.1.0 */
export const acquireArguments = (times: IdempotencyTimes): Arguments => [
  ...clock(times.now),
  hash(22, times.owner),
  Math.ceil(times.leaseMs),
  Math.ceil(times.pendingTtlMs),
]

/** The arguments of `acquire` for one item. @category constructors @since 0.1.0 */
export const claimArguments = ({ mode, fingerprint }: AcquireItem): Arguments => [
  `${mode === "hold" ? "H" : "P"}${hash(43, fingerprint)}`,
]

/** The arguments of `settle` that are common to all items. @category constructors @since 0.1.0 */
export const settleArguments = (times: IdempotencyTimes): Arguments => [
  ...acquireArguments(times),
  Math.ceil(times.resultTtlMs),
]

/** The arguments of `settle` for one item. @category constructors @since 0.1.0 */
export const actionArguments = ({ fingerprint, action }: SettleItem): Arguments => [
  todo(action),
  hash(43, fingerprint),
  action._tag === "complete" ? action.result : action._tag === "append" ? action.chunk : "",
]

/** The time that was given, or else the server's. @category constructors @since 0.1.0 */
export const clock = (now: number | undefined): Arguments => [now ?? ""]

/**
 * The text, if it is so many characters of base64url.
 *
 * **Details** Records are cut at fixed places: whatever had another length would end up in its neighbour's.
 *
 * @category guards
 * @since 0.1.0
 */
export const hash = (length: number, text: string): string => {
  if (text.length === length && /^[\w-]*$/.test(text)) return text
  throw new Error(`Not ${length} characters of base64url: ${JSON.stringify(text)}`)
}

const todo = (action: SettleAction): string => {
  switch (action._tag) {
    case "complete":
      return "C"
    case "append":
      return `A${action.at}:${action.chunk.length}`
    case "extend":
      return "E"
    case "release":
      return "R"
  }
}

/** Reads what `acquire` answered about an item. @category constructors @since 0.1.0 */
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

/** Reads what `peek` answered. @category constructors @since 0.1.0 */
export const toRecord = ([state, fence, leaseLeftMs]: ReadonlyArray<unknown>): IdempotencyRecord => ({
  state: states[state as keyof typeof states],
  fence: Number(fence),
  leaseLeftMs: Number(leaseLeftMs),
})
