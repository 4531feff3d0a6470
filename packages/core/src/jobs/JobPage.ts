/** Pages of a job's results: in request order, up to the first operation that has not ended. */
import * as Result from "effect/Result"
import type { EndedChunk } from "./Job.ts"
import type { JobStore } from "./JobStore.ts"

/** A place among the results of a job. */
export interface JobCursor {
  readonly chunk: number
  /** Results of that chunk that were given already. */
  readonly offset: number
  readonly onlyFailed: boolean
}

/** Some results of a job. */
export interface JobPage {
  /** JSON texts. */
  readonly results: ReadonlyArray<string>
  /** Where the next page begins; undefined after the last result of all. */
  readonly next: JobCursor | undefined
}

/** Bytes after which a page ends, however few results it has. */
const pageBytes = 4 * 1024 * 1024

/** Chunks that are asked for at once. */
const chunksAtOnce = 4

/** Reads a page of at most `limit` results. */
export const read = async (store: JobStore, id: string, cursor: JobCursor, limit: number): Promise<JobPage> => {
  const results: Array<string> = []
  const { onlyFailed } = cursor
  let { chunk: from, offset } = cursor
  let bytes = 0
  while (true) {
    const ended = await store.results(id, { from, limit: chunksAtOnce, onlyFailed })
    for (const chunk of ended.chunks) {
      const lines = linesOf(chunk, onlyFailed)
      for (let at = chunk.index === cursor.chunk ? offset : 0; at < lines.length; at++) {
        if (results.length >= limit || bytes > pageBytes) {
          return { results, next: { chunk: chunk.index, offset: at, onlyFailed } }
        }
        results.push(lines[at]!)
        bytes += lines[at]!.length
      }
    }
    if (ended.isLast) return { results, next: undefined }
    // Nothing further has ended yet.
    if (ended.next === from) return { results, next: { chunk: from, offset, onlyFailed } }
    from = ended.next
    offset = 0
  }
}

const linesOf = ({ results, code, first, operations }: EndedChunk, onlyFailed: boolean): ReadonlyArray<string> => {
  const lines =
    results === undefined
      ? Array.from({ length: operations }, (_, at) => neverRan(first + at, code ?? "CANCELLED"))
      : results.split("\n")
  return onlyFailed ? lines.filter((line) => !succeeded.test(line)) : lines
}

const succeeded = /^\{"index":\d+,"status":"success"/

const neverRan = (index: number, code: string): string =>
  JSON.stringify({ index, status: "skipped", error: { code, message: messages.get(code) ?? "Not begun" } })

const messages = new Map([
  ["CANCELLED", "Not begun: the job was cancelled"],
  ["SKIPPED", "Not begun: earlier operations failed"],
])

/** The first place. */
export const start = (onlyFailed: boolean): JobCursor => ({ chunk: 0, offset: 0, onlyFailed })

/** Writes a cursor for clients, to whom it means nothing. */
export const encodeCursor = ({ chunk, offset, onlyFailed }: JobCursor): string =>
  btoa(`1.${chunk}.${offset}.${onlyFailed ? "failed" : "all"}`).replaceAll("=", "")

/** Reads a cursor that `encodeCursor` wrote. */
export const decodeCursor = (text: string): Result.Result<JobCursor, string> => {
  const wrong = Result.fail(`"cursor" must be the "next_cursor" of an earlier page`)
  if (!/^[A-Za-z0-9]{1,64}$/.test(text)) return wrong
  try {
    const found = /^1\.(\d{1,9})\.(\d{1,9})\.(all|failed)$/.exec(atob(text))
    return found === null
      ? wrong
      : Result.succeed({ chunk: Number(found[1]), offset: Number(found[2]), onlyFailed: found[3] === "failed" })
  } catch {
    return wrong
  }
}
