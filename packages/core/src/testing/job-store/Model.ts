/**
 * A model of a job store, against which random commands are checked. It shares no code with any store, so that a misreading
 * of the port shows.
 */
import type {
  ChunkCommit,
  ChunkOutcome,
  ChunkPart,
  ChunkRef,
  EndedChunk,
  JobAcceptance,
  JobExtent,
  JobLimits,
  NewChunk,
  NewJob,
} from "../../jobs/Job.ts"
import type { ChunksQuery } from "../../jobs/JobStore.ts"
import {
  endIfComplete,
  endUnstarted,
  finalState,
  type ModelChunk,
  type ModelJob,
  newChunk,
  refOf,
  send,
} from "./ModelJob.ts"

/** A hold on a chunk of the model. */
export interface ModelHold {
  readonly job: string
  readonly chunk: number
  readonly epoch: number
}

export class Model {
  private readonly jobs = new Map<string, ModelJob>()

  submit(
    definition: NewJob,
    extent: JobExtent,
    chunks: ReadonlyArray<NewChunk>,
    limits: JobLimits,
    now: number,
  ): JobAcceptance {
    const known = [...this.jobs.values()].filter(({ state }) => state !== "forgotten")
    const { id, key, tenant, lifeMs } = definition
    const namesake = known.find((other) => key !== undefined && other.definition.key === key)
    if (namesake !== undefined) {
      const isSame = namesake.extent.fingerprint === extent.fingerprint
      return { _tag: "exists", id: namesake.definition.id, isSame }
    }
    const queued = this.queued()
    if (queued + extent.total > limits.queuedOperations) return { _tag: "full", queued }
    const ofTenant = known.filter((other) => other.state !== "ended" && other.definition.tenant === tenant)
    if (ofTenant.length >= (limits.jobsPerTenant ?? Number.POSITIVE_INFINITY)) return { _tag: "tenant-full" }
    const job: ModelJob = {
      definition,
      extent,
      chunks: chunks.map((chunk) => newChunk(chunk, now)),
      createdAt: now,
      expiresAt: now + lifeMs,
      state: "queued",
      outcomes: "",
      isCancelled: false,
      due: 0,
    }
    this.jobs.set(id, job)
    return { _tag: "accepted", due: send(job, extent.window, now) }
  }

  start(id: string, index: number, dispatch: number | undefined, now: number) {
    const job = this.openJob(id)
    const chunk = job?.chunks[index]
    if (job === undefined || chunk === undefined || chunk.state === "ended") return undefined
    if (chunk.state === "running" && dispatch !== undefined && dispatch !== chunk.heldBy) return undefined
    Object.assign(chunk, {
      state: "running",
      heldBy: dispatch ?? chunk.dispatch,
      epoch: chunk.epoch + 1,
      starts: chunk.starts + 1,
      aliveAt: now,
    })
    job.state = "running"
    const { starts, parts, epoch } = chunk
    return { ...chunk.definition, starts, parts, epoch, job: this.find(id) }
  }

  /** Number of chunks of a job that are, or were, due. */
  due(id: string): number {
    return this.jobs.get(id)?.due ?? 0
  }

  /** The chunk that is held; undefined if the hold is over. */
  held({ job, chunk: index, epoch }: ModelHold): ModelChunk | undefined {
    const chunk = this.openJob(job)?.chunks[index]
    return chunk?.state === "running" && chunk.epoch === epoch ? chunk : undefined
  }

  checkpoint(hold: ModelHold, part: ChunkPart, now: number): boolean {
    const chunk = this.held(hold)
    if (chunk === undefined) return false
    const parts = chunk.parts.some(({ at }) => at === part.at) ? chunk.parts : [...chunk.parts, part]
    Object.assign(chunk, { parts, starts: 1, aliveAt: now })
    return true
  }

  commit(hold: ModelHold, { results, outcomes, halt }: ChunkOutcome, keepMs: number, now: number): ChunkCommit {
    const chunk = this.held(hold)
    if (chunk === undefined) return { _tag: "refused" }
    const job = this.jobs.get(hold.job)!
    Object.assign(chunk, { state: "ended", results, outcomes })
    job.outcomes += outcomes
    if (halt !== undefined) endUnstarted(job, halt)
    const due = send(job, 1, now)
    return { _tag: "kept", due, hasEnded: endIfComplete(job, keepMs, now) }
  }

  postpone(hold: ModelHold, delayMs: number, now: number): ChunkRef | undefined {
    const chunk = this.held(hold)
    if (chunk === undefined) return undefined
    const job = this.jobs.get(hold.job)!
    const aliveAt = job.isCancelled ? 0 : now + delayMs
    Object.assign(chunk, { state: "waiting", starts: chunk.starts - 1, dispatch: chunk.dispatch + 1, aliveAt })
    return refOf(job, chunk)
  }

  cancel(id: string, keepMs: number, now: number): ReadonlyArray<ChunkRef> | undefined {
    const job = this.jobs.get(id)
    if (job === undefined || job.state === "forgotten") return undefined
    if (job.state === "ended") return []
    job.isCancelled = true
    const sent = job.chunks.slice(0, job.due).filter(({ state }) => state === "waiting")
    endUnstarted(job, "CANCELLED")
    for (const chunk of sent) if (chunk.state === "waiting") chunk.aliveAt = 0
    endIfComplete(job, keepMs, now)
    return sent.filter(({ state }) => state === "ended").map((chunk) => refOf(job, chunk))
  }

  cancelled(ids: ReadonlyArray<string>): ReadonlyArray<string> {
    return ids.filter((id) => {
      const job = this.jobs.get(id)
      return job === undefined || job.state === "forgotten" || job.isCancelled
    })
  }

  overdue(silentMs: number, now: number): ReadonlyArray<ChunkRef> {
    return [...this.jobs.keys()].flatMap((id) => {
      const job = this.openJob(id)
      const silent = job?.chunks.slice(0, job.due).filter(({ state, aliveAt, dispatch }) => {
        const factor = state === "running" ? 1 : ([1, 2, 4, 8][dispatch] ?? 16)
        return state !== "ended" && aliveAt + factor * silentMs <= now
      })
      return (silent ?? []).map((chunk) => {
        Object.assign(chunk, { dispatch: chunk.dispatch + 1, heldBy: chunk.dispatch + 1, aliveAt: now })
        return refOf(job!, chunk)
      })
    })
  }

  sweep(tombstoneMs: number, now: number): void {
    for (const [id, job] of this.jobs) {
      if (job.expiresAt > now) continue
      if (job.state === "forgotten") this.jobs.delete(id)
      else Object.assign(job, { state: "forgotten", expiresAt: now + tombstoneMs })
    }
  }

  queued(): number {
    return [...this.jobs.keys()]
      .flatMap((id) => this.openJob(id)?.chunks ?? [])
      .reduce((sum, { state, definition }) => (state === "ended" ? sum : sum + definition.operations), 0)
  }

  /** The record of a job, without the time of its last change. */
  find(id: string) {
    const job = this.jobs.get(id)
    if (job === undefined) return undefined
    const { tenant, endpoint, settings } = job.definition
    if (job.state === "forgotten") return { state: "forgotten" as const, id, tenant }
    const { outcomes, isCancelled, createdAt, expiresAt } = job
    const { total, chunks } = job.extent
    const count = (outcome: string) => outcomes.split(outcome).length - 1
    const tally = { succeeded: count("s"), failed: count("f"), skipped: count("-") }
    const state = job.state === "ended" ? finalState(outcomes, isCancelled) : job.state
    return { id, tenant, endpoint, settings, state, total, chunks, ...tally, isCancelled, createdAt, expiresAt }
  }

  results(id: string, { from, limit, onlyFailed }: ChunksQuery): ReadonlyArray<EndedChunk> {
    const job = this.jobs.get(id)
    const chunks = job === undefined || job.state === "forgotten" ? [] : job.chunks.slice(from)
    const end = chunks.findIndex(({ state }) => state !== "ended")
    return chunks
      .slice(0, end < 0 ? chunks.length : end)
      .filter(({ outcomes = "-" }) => !onlyFailed || outcomes.includes("f") || outcomes.includes("-"))
      .slice(0, limit)
      .map(({ definition: { index, first, operations }, results, outcomes, code }) => ({
        index,
        first,
        operations,
        results,
        outcomes,
        code,
      }))
  }

  private openJob(id: string): ModelJob | undefined {
    const job = this.jobs.get(id)
    return job?.state === "queued" || job?.state === "running" ? job : undefined
  }
}
