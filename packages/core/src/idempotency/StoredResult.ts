/** How a result is kept for replay: which ones are, as what text, and how they are read again. */
import { failure, type Failure } from "../batch/Failure.ts"
import * as Json from "../batch/Json.ts"
import { type Outcome, OperationResult } from "../batch/OperationResult.ts"
import type { ValueFormat } from "../batch/Codec.ts"

/**
 * Turns stored texts into others, such as encrypted ones; `aesGcmResults` makes one.
 *
 * **Details** `place` names where the text is stored: the hash of its key, and in the record of a batch the operation's
 * position too. An encryption should bind its text to it, so that texts cannot change places. What `decode` throws at is
 * answered `OUTCOME_UNKNOWN`: an operation that ran is not run again because its result cannot be read.
 */
export interface ResultCodec {
  readonly encode: (text: string, place: string) => string | PromiseLike<string>
  readonly decode: (text: string, place: string) => string | PromiseLike<string>
}

/** The first character of every stored text: what is written by another version is not guessed at. */
const version = "1"

/** Bytes that are left to what says that an operation ran, where its result is not kept whole. */
const stubBytes = 1024

interface Stored {
  readonly o: Outcome
  readonly s: number
  readonly v?: unknown
  readonly f?: Failure
}

/**
 * Writes a result. One beyond `maxBytes`, or one that is no JSON, is kept without its value: that the operation ran is
 * what must not be forgotten.
 */
export const write = (
  { outcome: o, status, value, failure: f }: OperationResult,
  format: ValueFormat,
  maxBytes: number,
): string => {
  const s = Number(status)
  // Put together by hand: this is done for every operation that has a key.
  const text = (v: () => unknown, bytes: number) => {
    const written = attempt(() => {
      const json = value === undefined ? undefined : JSON.stringify(v())
      const failed = f === undefined ? "" : `,"f":${JSON.stringify(f)}`
      return `{"o":"${o}","s":${s}${failed}${json === undefined ? "" : `,"v":${json}`}}`
    })
    return written !== undefined && Json.fitsUtf8(written, bytes) ? version + written : undefined
  }
  return (
    text(() => format.toJson(value), maxBytes) ??
    text(() => format.stub(value), stubBytes) ??
    version + JSON.stringify({ o, s, ...(f !== undefined && { f: short(f) }) })
  )
}

interface StoredAll {
  readonly s: number
  readonly all: ReadonlyArray<unknown>
}

/** Several results as one text. */
export interface WrittenAll {
  readonly text: string
  /** How many of the results it has; the others did not fit. */
  readonly count: number
}

/**
 * Writes results as one, which takes less time and room than one by one: successes that differ in nothing but the object
 * that they returned. As many of them as surely have no more than `maxBytes`; undefined where these are not two.
 */
export const writeAll = (
  results: ReadonlyArray<OperationResult>,
  format: ValueFormat,
  maxBytes: number,
): WrittenAll | undefined => {
  const status = Number(results[0]?.status)
  const head = `${version}{"s":${status},"all":[`
  // No unit of a text takes more than three bytes.
  let room = Math.floor(maxBytes / 3) - head.length - 2
  let [all, count] = ["", 0]
  for (const result of results) {
    const json = result.status === status && isPlain(result) ? valueText(result.value, format) : undefined
    if (json === undefined) break
    room -= json.length + 1
    if (room < 0) break
    all += count === 0 ? json : `,${json}`
    count++
  }
  return count < 2 ? undefined : { text: `${head}${all}]}`, count }
}

const valueText = (value: unknown, format: ValueFormat): string | undefined => {
  try {
    return format.toJson(value) === value ? JSON.stringify(value) : undefined
  } catch {
    return undefined
  }
}

// What writes itself may write nothing, and that is not the same by itself and among others.
const isPlain = ({ outcome, status, value, failure: failed }: OperationResult): boolean =>
  outcome === "success" &&
  Number.isInteger(status) &&
  failed === undefined &&
  typeof value === "object" &&
  value !== null &&
  (value as { readonly toJSON?: unknown }).toJSON === undefined

// The application's own words, which may be anything.
const short = ({ code, message, status }: Failure) => ({
  code: String(code).slice(0, 100),
  message: String(message).slice(0, 300),
  status: Number(status),
})

/** Writes of a result as little as says that the operation ran. */
export const writeStub = (result: OperationResult, format: ValueFormat): string => write(result, format, 0)

/** Hands a text to the codec, where there is one. */
export const encode = async (text: string, place: string, codec: ResultCodec | undefined): Promise<string> => {
  const encoded: unknown = codec === undefined ? text : await codec.encode(text, place)
  if (typeof encoded !== "string") throw new TypeError("A codec of results has to encode them as a text")
  return encoded
}

/**
 * Reads a result. A text that cannot be read stays what it is, the trace of an operation that ran: the answer is then
 * that its outcome is not known, never that it may run again.
 */
export const read = (text: string, format: ValueFormat): OperationResult =>
  attempt(() => {
    if (!text.startsWith(version)) return undefined
    const { o, s, v, f } = JSON.parse(text.slice(version.length)) as Stored
    if ((o !== "success" && o !== "error") || !Number.isInteger(s) || (o === "success" && f !== undefined)) {
      return undefined
    }
    if (f !== undefined && (typeof f.code !== "string" || typeof f.message !== "string")) return undefined
    return OperationResult.replay({
      outcome: o,
      status: s,
      value: f === undefined ? format.fromJson(v, o) : undefined,
      failure: f === undefined ? undefined : failure(f.code, f.message, f),
    })
  }) ?? unreadable()

/** Reads what `writeAll` wrote; undefined where it cannot be read. */
export const readAll = (text: string, format: ValueFormat): ReadonlyArray<OperationResult> | undefined =>
  attempt(() => {
    if (!text.startsWith(version)) return undefined
    const { s: status, all } = JSON.parse(text.slice(version.length)) as StoredAll
    if (!Number.isInteger(status)) return undefined
    return all.map((value) =>
      OperationResult.replay({
        outcome: "success",
        status,
        value: format.fromJson(value, "success"),
        failure: undefined,
      }),
    )
  })

/** What is said where a stored result cannot be read. */
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
