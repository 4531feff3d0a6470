/**
 * What the store says to its scripts, and how their answers read.
 *
 * @since 0.1.0
 */
import type { Acquired, AcquireItem, IdempotencyRecord, IdempotencyTimes, SettleItem } from "@multistatus/core"
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

/** The argument of `acquire` for all items. @category constructors @since 0.1.0 */
export const claimArguments = (items: ReadonlyArray<AcquireItem>): Arguments => {
  let marks = ""
  for (const { mode, fingerprint } of items) marks += (mode === "hold" ? "H" : "P") + hash(43, fingerprint)
  return [marks]
}

/** The arguments of `settle` that are common to all items. @category constructors @since 0.1.0 */
export const settleArguments = (times: IdempotencyTimes): Arguments => [
  ...acquireArguments(times),
  Math.ceil(times.resultTtlMs),
]

/** The arguments of `settle` for all items. @category constructors @since 0.1.0 */
export const actionArguments = (items: ReadonlyArray<SettleItem>): Arguments =>
  items.map(({ fingerprint, action }) => {
    const mark = hash(43, fingerprint)
    switch (action._tag) {
      case "complete":
        return `C${mark}${action.result}`
      case "append":
        return `A${mark}${action.at}:${action.chunk.length}:${action.chunk}`
      case "extend":
        return `E${mark}`
      case "release":
        return `R${mark}`
    }
  })

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
