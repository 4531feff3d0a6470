/** A job of the model, and the steps that several calls share. */
import type { ChunkPart, ChunkRef, JobExtent, JobState, NewChunk, NewJob } from "../../jobs/Job.ts"

/** A chunk of the model. */
export interface ModelChunk {
  readonly definition: NewChunk
  state: "waiting" | "running" | "ended"
  epoch: number
  starts: number
  dispatch: number
  /** The dispatch that holds it. */
  heldBy: number
  aliveAt: number
  parts: ReadonlyArray<ChunkPart>
  results: string | undefined
  outcomes: string | undefined
  code: string | undefined
}

/** A job of the model. */
export interface ModelJob {
  readonly definition: NewJob
  readonly extent: JobExtent
  readonly chunks: ReadonlyArray<ModelChunk>
  readonly createdAt: number
  state: "queued" | "running" | "ended" | "forgotten"
  /** The outcomes of all ended operations, in any order. */
  outcomes: string
  isCancelled: boolean
  /** Number of chunks that are, or were, due. */
  due: number
  expiresAt: number
}

/** Makes a waiting chunk. */
export const newChunk = (definition: NewChunk, now: number): ModelChunk => ({
  definition,
  state: "waiting",
  epoch: 0,
  starts: 0,
  dispatch: 0,
  heldBy: 0,
  aliveAt: now,
  parts: [],
  results: undefined,
  outcomes: undefined,
  code: undefined,
})

/** Marks the next `count` chunks as due. Returns those that wait. */
export const send = (job: ModelJob, count: number, now: number): ReadonlyArray<ChunkRef> => {
  const next = job.chunks.slice(job.due, job.due + count)
  job.due += next.length
  const due = next.filter(({ state }) => state !== "ended")
  for (const chunk of due) chunk.aliveAt = now
  return due.map((chunk) => refOf(job, chunk))
}

/** Ends the chunks that have not started. */
export const endUnstarted = (job: ModelJob, code: string): void => {
  for (const chunk of job.chunks) {
    if (chunk.state !== "waiting" || chunk.parts.length > 0) continue
    Object.assign(chunk, { state: "ended", code })
    job.outcomes += "-".repeat(chunk.definition.operations)
  }
}

/** Ends the job if all of its chunks have ended. Returns whether it has. */
export const endIfComplete = (job: ModelJob, keepMs: number, now: number): boolean => {
  if (job.chunks.some(({ state }) => state !== "ended")) return false
  Object.assign(job, { state: "ended", expiresAt: now + keepMs })
  return true
}

/** The final state of a job with these outcomes. */
export const finalState = (outcomes: string, isCancelled: boolean): JobState => {
  if (isCancelled) return "cancelled"
  if (!outcomes.includes("s")) return "failed"
  return outcomes.includes("f") || outcomes.includes("-") ? "partial" : "succeeded"
}

/** The ref of a chunk. */
export const refOf = ({ definition }: ModelJob, chunk: ModelChunk): ChunkRef => ({
  job: definition.id,
  chunk: chunk.definition.index,
  dispatch: chunk.dispatch,
})
