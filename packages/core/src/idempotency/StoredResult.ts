/** The stored form of results: how a result is written as a text, and read again for a replay. */
import { failure, type Failure } from "../batch/Failure.ts"
import * as Json from "../batch/Json.ts"
import { type Outcome, OperationResult } from "../batch/OperationResult.ts"
import type { ValueFormat } from "../batch/Codec.ts"

/**
 * Encodes and decodes stored texts, for example by encrypting them; `aesGcmResults` makes one.
 *
 * **Details** `place` names where a text is stored: the hash of its key, and in the record of a batch also the index of
 * the operation. An encryption should bind a text to its place, so that texts cannot be swapped. Where `decode` throws, the
 * operation is answered `OUTCOME_UNKNOWN`: an operation that ran does not run again because its result is unreadable.
 */
export interface ResultCodec {
  readonly encode: (text: string, place: string) => string | PromiseLike<string>
  readonly decode: (text: string, place: string) => string | PromiseLike<string>
}

/** The first character of every stored text. Texts of other versions are unreadable. */
const version = "1"

/** Bytes that a stored result may have where its value is reduced to a stub. */
const stubBytes = 1024

/** One result: outcome, status, value and failure. */
interface Stored {
  readonly o: Outcome
  readonly s: number
  readonly v?: unknown
  readonly f?: Failure
}

/**
 * Writes a result as a text. A value that makes the text larger than `maxBytes`, or that is not JSON, is reduced to the
 * stub of its format or left out, so that the text still tells that the operation ran.
 */
export const write = (
  { outcome: o, status, value, failure: f }: OperationResult,
  format: ValueFormat,
  maxBytes: number,
): string => {
  const s = Number(status)
  // Concatenated by hand, because this runs for every operation that has a key.
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
    version + JSON.stringify({ o, s, ...(f !== undefined && { f: shortened(f) }) })
  )
}

/** Several results that share a status: their values. */
interface StoredAll {
  readonly s: number
  readonly all: ReadonlyArray<unknown>
}

/** Several results as one text. */
export interface WrittenAll {
  readonly text: string
  /** How many of the results the text holds, counted from the first. The others did not fit. */
  readonly count: number
}

/**
 * Writes several results as one text, which takes less time and space than one text for each. The results have to be
 * successes that differ only in the object that they returned. The text holds the first of them that have together at most
 * `maxBytes`; undefined where these are fewer than two.
 */
export const writeAll = (
  results: ReadonlyArray<OperationResult>,
  format: ValueFormat,
  maxBytes: number,
): WrittenAll | undefined => {
  const status = Number(results[0]?.status)
  const head = `${version}{"s":${status},"all":[`
  // A UTF-16 code unit takes at most three bytes of UTF-8.
  let room = Math.floor(maxBytes / 3) - head.length - 2
  let [all, count] = ["", 0]
  for (const result of results) {
    const json = result.status === status && isShareable(result) ? valueText(result.value, format) : undefined
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

// A `toJSON` that returns undefined leaves a value out where it stands alone, and makes it null in an array.
const isShareable = ({ outcome, status, value, failure: failed }: OperationResult): boolean =>
  outcome === "success" &&
  Number.isInteger(status) &&
  failed === undefined &&
  typeof value === "object" &&
  value !== null &&
  (value as { readonly toJSON?: unknown }).toJSON === undefined

// The application may put anything into a failure.
const shortened = ({ code, message, status }: Failure) => ({
  code: String(code).slice(0, 100),
  message: String(message).slice(0, 300),
  status: Number(status),
})

/** Writes the shortest text that tells that the operation ran. */
export const writeStub = (result: OperationResult, format: ValueFormat): string => write(result, format, 0)

/** Encodes a text with the codec, where there is one. */
export const encode = async (text: string, place: string, codec: ResultCodec | undefined): Promise<string> => {
  const encoded: unknown = codec === undefined ? text : await codec.encode(text, place)
  if (typeof encoded !== "string") throw new TypeError("The codec of idempotency results has to encode to a string")
  return encoded
}

/** Decodes a stored text with the codec, where there is one, and reads its result; `unreadable` where either fails. */
export const decode = async (
  text: string,
  place: string,
  codec: ResultCodec | undefined,
  format: ValueFormat,
): Promise<OperationResult> => {
  try {
    return read(codec === undefined ? text : await codec.decode(text, place), format)
  } catch {
    return unreadable()
  }
}

/**
 * Reads a result that `write` wrote; `unreadable` where the text is anything else. Even then the operation ran, so it must
 * not run again.
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

/** Reads results that `writeAll` wrote; undefined where the text is anything else. */
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

/** Makes the result of an operation that ran earlier and whose stored result is unreadable. */
export const unreadable = (): OperationResult =>
  OperationResult.refused(
    failure(
      "OUTCOME_UNKNOWN",
      "The operation ran earlier, but its stored result cannot be read: check whether it took effect",
      { retryable: false },
    ),
  )

const attempt = <A>(run: () => A): A | undefined => {
  try {
    return run()
  } catch {
    return undefined
  }
}
