/** How a result is kept for replay: which ones are, as what text, and how they are read again. */
import { failure, type Failure } from "../domain/Failure.ts"
import * as Json from "../domain/Json.ts"
import { type Outcome, OperationResult } from "../domain/OperationResult.ts"
import type { ValueFormat } from "../ports/Codec.ts"

/**
 * Turns stored texts into others, such as encrypted ones; `key` is the hash of the key they are stored under, which an
 * encryption should bind its text to.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResultCodec {
  readonly encode: (text: string, key: string) => string | PromiseLike<string>
  readonly decode: (text: string, key: string) => string | PromiseLike<string>
}

/** The first character of every stored text: what is written by another version is not guessed at. */
const version = "1"

const neverStored = new Set([408, 425, 429])

/**
 * Whether a result is final, so that a retry should get it again: what a handler answered, below 500, except 408, 425
 * and 429, which ask for a retry.
 *
 * @category guards
 * @since 0.1.0
 */
export const isFinal = ({ answered, outcome, status }: OperationResult): boolean =>
  answered && (outcome === "success" || (status >= 400 && status < 500 && !neverStored.has(status)))

interface Stored {
  readonly o: Outcome
  readonly s: number
  readonly v?: unknown
  readonly f?: Failure
}

/**
 * Writes a result. One beyond `maxBytes`, or one that is no JSON, is kept without its value: that the operation ran is
 * what must not be forgotten.
 *
 * @category encoding
 * @since 0.1.0
 */
export const write = (result: OperationResult, format: ValueFormat, maxBytes: number): string => {
  const { outcome: o, status: s, value, failure: f } = result
  const head: Stored = { o, s, ...(f !== undefined && { f }) }
  const text = attempt(() => JSON.stringify({ ...head, v: value === undefined ? undefined : format.toJson(value) }))
  if (text !== undefined && Json.utf8Length(text) <= maxBytes) return version + text
  const stub = attempt(() => JSON.stringify({ ...head, v: value === undefined ? undefined : format.stub(value) }))
  return version + (stub ?? JSON.stringify(head))
}

/**
 * Reads a result. A text that cannot be read stays what it is, the trace of an operation that ran: the answer is then
 * that its outcome is not known, never that it may run again.
 *
 * @category decoding
 * @since 0.1.0
 */
export const read = (text: string, format: ValueFormat): OperationResult =>
  attempt(() => {
    if (!text.startsWith(version)) return undefined
    const { o, s, v, f } = JSON.parse(text.slice(version.length)) as Stored
    if ((o !== "success" && o !== "error") || !Number.isInteger(s)) return undefined
    const value = v === undefined ? undefined : format.fromJson(v)
    return OperationResult.replay({
      outcome: o,
      status: s,
      value,
      failure: f === undefined ? undefined : failure(f.code, f.message, f),
    })
  }) ?? unreadable()

/** What is said where a stored result cannot be read. @category constructors @since 0.1.0 */
export const unreadable = (): OperationResult =>
  OperationResult.refused(
    failure("OUTCOME_UNKNOWN", "The operation ran before, but its stored result cannot be read", { retryable: false }),
  )

const attempt = <A>(run: () => A): A | undefined => {
  try {
    return run()
  } catch {
    return undefined
  }
}
