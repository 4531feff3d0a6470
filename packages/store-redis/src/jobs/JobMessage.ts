/** What the job store says to its scripts, and how their answers read. */
import type {
  ChunkPart,
  ChunkRef,
  EndedChunk,
  JobRecord,
  JobState,
  NewChunk,
  NewJob,
  StartedChunk,
} from "@multistatus/core/store"

export type Arguments = ReadonlyArray<string | number>

/** An answer of a script. */
export type Reply = ReadonlyArray<unknown>

/** The time that was given, or else the server's. */
export const clock = (now: number | undefined): string | number => now ?? ""

/** A tenant, which may be of any name, or none. */
export const tenantArgument = (tenant: string | undefined): string => (tenant === undefined ? "" : `t${tenant}`)

/** The arguments of `put` for a job that is not there yet. */
export const jobArguments = ({ endpoint, settings, key = "", lifeMs, tenant }: NewJob): Arguments => [
  // A script is told by an empty endpoint that there is no job: an endpoint without a name is told apart by the slash.
  `/${endpoint}`,
  settings,
  key,
  Math.ceil(lifeMs),
  tenantArgument(tenant),
]

/** The arguments of `put` for a chunk. */
export const chunkArguments = ({ index, first, operations, payload }: NewChunk): Arguments => [
  index,
  first,
  operations,
  payload,
]

/** What is kept of a part. */
export const partText = ({ tally: { succeeded, failed, skipped }, results }: ChunkPart): string =>
  `${succeeded} ${failed} ${skipped} ${results}`

const toPart = (at: number, text: string): ChunkPart => {
  const [, succeeded, failed, skipped, results] = /^(\d+) (\d+) (\d+) (.*)$/s.exec(text)!
  return {
    at,
    results: results!,
    tally: { succeeded: Number(succeeded), failed: Number(failed), skipped: Number(skipped) },
  }
}

/** The parts that follow each other from the start of a chunk; what lies beyond a gap is done again. */
const toParts = (fields: Reply): ReadonlyArray<ChunkPart> => {
  const found = pairs(fields).map(([at, text]) => toPart(Number(at), String(text)))
  const parts: Array<ChunkPart> = []
  let end = 0
  for (const part of found.sort((left, right) => left.at - right.at)) {
    if (part.at !== end) continue
    parts.push(part)
    end += part.tally.succeeded + part.tally.failed + part.tally.skipped
  }
  return parts
}

/** Reads the record of a job. */
export const toRecord = (id: string, fields: Reply): JobRecord => {
  const [tenant, endpoint, settings, state, total, chunks, cancelled, created, updated, expires, ...tally] = fields
  const [succeeded, failed, skipped] = tally.map(Number)
  return {
    id,
    tenant: toTenant(tenant),
    endpoint: String(endpoint).slice(1),
    settings: String(settings),
    state: state as JobState,
    total: Number(total),
    chunks: Number(chunks),
    isCancelled: cancelled !== null,
    createdAt: Number(created),
    updatedAt: Number(updated),
    expiresAt: Number(expires),
    succeeded: succeeded!,
    failed: failed!,
    skipped: skipped!,
  }
}

/** Reads a tenant. */
export const toTenant = (tenant: unknown): string | undefined => (tenant === null ? undefined : String(tenant))

/** Reads what `start` answered. */
export const toStarted = (job: string, chunk: number, reply: Reply): StartedChunk => {
  const [epoch, starts, first, operations, payload, parts, record] = reply
  return {
    index: chunk,
    first: Number(first),
    operations: Number(operations),
    payload: String(payload),
    hold: { job, chunk, epoch: Number(epoch) },
    starts: Number(starts),
    parts: toParts(parts as Reply),
    job: toRecord(job, record as Reply),
  }
}

/** Reads chunks and dispatches, in the order of the chunks. */
export const toRefs = (job: string, fields: Reply): ReadonlyArray<ChunkRef> =>
  pairs(fields)
    .map(([chunk, dispatch]) => ({ job, chunk: Number(chunk), dispatch: Number(dispatch) }))
    .sort((left, right) => left.chunk - right.chunk)

/** Reads a chunk that `results` found. */
export const toEnded = ([index, first, operations, results, code]: Reply): EndedChunk => ({
  index: Number(index),
  first: Number(first),
  operations: Number(operations),
  results: results === null ? undefined : String(results),
  code: code === null ? undefined : String(code),
})

/** Reads what stands in pairs. */
export const pairs = (fields: Reply): ReadonlyArray<readonly [unknown, unknown]> =>
  Array.from({ length: fields.length / 2 }, (_, pair) => [fields[2 * pair], fields[2 * pair + 1]])
