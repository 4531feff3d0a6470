/** Pages of a job's results, in request order, up to the first operation that has not ended. */
import * as Result from "effect/Result"
import { failure } from "../batch/Failure.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import { encodeNotRun, type EncodeResult } from "./ChunkResults.ts"
import type { EndedChunk } from "./Job.ts"
import type { JobStore } from "./JobStore.ts"

/** A position among the results of a job. */
export interface JobCursor {
  /** Index of a chunk. */
  readonly chunk: number
  /** Number of listed results of that chunk that come before the position. */
  readonly offset: number
  /** Whether only results that are not successes are listed. */
  readonly onlyFailed: boolean
}

/** Some results of a job. */
export interface JobPage {
  /** JSON texts. */
  readonly results: ReadonlyArray<string>
  /** The position after them; undefined at the end of a job that has ended. */
  readonly next: JobCursor | undefined
}

/** The job whose results are read. */
export interface JobPageSource {
  readonly store: JobStore
  readonly id: string
  /** Encodes the results of operations that never ran; undefined if no endpoint of this process has the job's format. */
  readonly encodeResult: EncodeResult | undefined
}

/** Size at which a page ends, in UTF-16 code units. */
const pageLength = 4 * 1024 * 1024

/** Number of chunks that are read at once. */
const chunksAtOnce = 4

/** Reads a page of at most `limit` results. */
export const read = async (
  { store, id, encodeResult }: JobPageSource,
  cursor: JobCursor,
  limit: number,
): Promise<JobPage> => {
  const results: Array<string> = []
  const { onlyFailed } = cursor
  let { chunk: from, offset } = cursor
  let length = 0
  while (true) {
    const ended = await store.results(id, { from, limit: chunksAtOnce, onlyFailed })
    for (const chunk of ended.chunks) {
      const listed = resultsOf(chunk, onlyFailed, encodeResult)
      for (let at = chunk.index === cursor.chunk ? offset : 0; at < listed.length; at++) {
        if (results.length >= limit || length > pageLength) {
          return { results, next: { chunk: chunk.index, offset: at, onlyFailed } }
        }
        results.push(listed[at]!)
        length += listed[at]!.length
      }
    }
    if (ended.isLast) return { results, next: undefined }
    // The next chunk has not ended.
    if (ended.next === from) return { results, next: { chunk: from, offset, onlyFailed } }
    from = ended.next
    offset = 0
  }
}

const resultsOf = (
  { results, outcomes, code, first, operations }: EndedChunk,
  onlyFailed: boolean,
  encodeResult: EncodeResult | undefined,
): ReadonlyArray<string> => {
  if (results === undefined) {
    const result = skipped(code ?? "CANCELLED")
    return Array.from({ length: operations }, (_, at) => encodeNotRun(result, first + at, encodeResult))
  }
  const texts = results.split("\n")
  return onlyFailed ? texts.filter((_, at) => outcomes?.[at] !== "s") : texts
}

const skipped = (code: string): OperationResult =>
  OperationResult.skipped(failure(code, messages.get(code) ?? "The operation did not start"))

const messages = new Map([
  ["CANCELLED", "The operation did not start, because the job was cancelled"],
  ["SKIPPED", "The operation did not start, because earlier operations failed"],
])

/** The position before the first result. */
export const start = (onlyFailed: boolean): JobCursor => ({ chunk: 0, offset: 0, onlyFailed })

/** Encodes a cursor as a text that is opaque to clients. */
export const encodeCursor = ({ chunk, offset, onlyFailed }: JobCursor): string =>
  btoa(`1.${chunk}.${offset}.${onlyFailed ? "failed" : "all"}`).replaceAll("=", "")

/** Decodes a cursor that `encodeCursor` encoded. */
export const decodeCursor = (text: string): Result.Result<JobCursor, string> => {
  const invalid = Result.fail(`"cursor" must be the "next_cursor" of an earlier page`)
  if (!/^[A-Za-z0-9]{1,64}$/.test(text)) return invalid
  try {
    const found = /^1\.(\d{1,9})\.(\d{1,9})\.(all|failed)$/.exec(atob(text))
    return found === null
      ? invalid
      : Result.succeed({ chunk: Number(found[1]), offset: Number(found[2]), onlyFailed: found[3] === "failed" })
  } catch {
    return invalid
  }
}
