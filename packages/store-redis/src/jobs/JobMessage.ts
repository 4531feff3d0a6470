/** The arguments of the job store's scripts, and how their replies are read. */
import type {
  ChunkPart,
  ChunkRef,
  ChunkResults,
  EndedChunk,
  JobRecord,
  JobState,
  NewChunk,
  NewJob,
  StartedChunk,
} from "@multistatus/core/store"

export type Arguments = ReadonlyArray<string | number>

/** A reply of a script. */
export type Reply = ReadonlyArray<unknown>

/** The argument for the time: empty for the server's time. */
export const clock = (now: number | undefined): string | number => now ?? ""

/** The argument for a tenant, which may have any name, or no tenant. */
export const tenantArgument = (tenant: string | undefined): string => (tenant === undefined ? "" : `t${tenant}`)

/** The arguments of `put` for a new job. */
export const jobArguments = ({ endpoint, settings, key = "", lifeMs, tenant }: NewJob): Arguments => [
  // An empty argument means that there is no job; the slash allows for an endpoint without a name.
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

/** The text that is stored for results: a line with their outcomes, then the results. */
export const resultsText = ({ results, outcomes }: ChunkResults): string => `${outcomes}\n${results}`

const toResults = (text: string): ChunkResults => {
  const end = text.indexOf("\n")
  return { results: text.slice(end + 1), outcomes: text.slice(0, end) }
}

/** The parts from the start of a chunk up to a gap. What comes after a gap runs again. */
const toParts = (fields: Reply): ReadonlyArray<ChunkPart> => {
  const found = pairs(fields).map(([at, text]) => ({ at: Number(at), ...toResults(String(text)) }))
  const parts: Array<ChunkPart> = []
  let end = 0
  for (const part of found.sort((left, right) => left.at - right.at)) {
    if (part.at !== end) continue
    parts.push(part)
    end += part.outcomes.length
  }
  return parts
}

/** Reads the record of a job. */
export const toRecord = (id: string, fields: Reply): JobRecord => {
  const [tenant, endpoint, settings, state, total, chunks, cancelled, created, updated, expires, ...others] = fields
  const [succeeded, failed, skipped, waits] = others.map(Number)
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
    ...(waits! > 0 && { waiting: { for: "quota", until: waits! } }),
  }
}

/** Reads a tenant. */
export const toTenant = (tenant: unknown): string | undefined => (tenant === null ? undefined : String(tenant))

/** Reads the reply of `start`. */
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

/** Reads chunks and dispatches. Returns them in the order of the chunks. */
export const toRefs = (job: string, fields: Reply): ReadonlyArray<ChunkRef> =>
  pairs(fields)
    .map(([chunk, dispatch]) => ({ job, chunk: Number(chunk), dispatch: Number(dispatch) }))
    .sort((left, right) => left.chunk - right.chunk)

/** Reads a chunk in the reply of `results`. */
export const toEnded = ([index, first, operations, text, code]: Reply): EndedChunk => ({
  index: Number(index),
  first: Number(first),
  operations: Number(operations),
  ...(text === null ? { results: undefined, outcomes: undefined } : toResults(String(text))),
  code: code === null ? undefined : String(code),
})

const pairs = (fields: Reply): ReadonlyArray<readonly [unknown, unknown]> =>
  Array.from({ length: fields.length / 2 }, (_, pair) => [fields[2 * pair], fields[2 * pair + 1]])
