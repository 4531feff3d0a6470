/** One job in memory, with the steps that `JobStore` describes. */
import * as Job from "./Job.ts"
import type { ChunksQuery, EndedChunks, ForgottenJob, JobStore } from "./JobStore.ts"

interface Chunk extends Job.NewChunk {
  state: "waiting" | "running" | "ended"
  epoch: number
  starts: number
  dispatch: number
  /** The dispatch that holds it while it runs. */
  heldBy: number
  /** Time of the last sign of life; undefined before the chunk is due. */
  aliveAt: number | undefined
  parts: ReadonlyArray<Job.ChunkPart>
  results: string | undefined
  outcomes: string | undefined
  code: string | undefined
  /** What it waits for since it was postponed. */
  waitsFor: Job.JobWait["for"] | undefined
}

export class MemoryJob {
  readonly definition: Job.NewJob
  /** Undefined before the job is accepted. */
  extent: Job.JobExtent | undefined
  state: Job.JobState | "forgotten" = "uploading"
  expiresAt: number
  private readonly chunks: Array<Chunk> = []
  private tally: Job.JobTally = { succeeded: 0, failed: 0, skipped: 0 }
  private isCancelled = false
  /** Number of chunks that are, or were, due. */
  private sent = 0
  private readonly createdAt: number
  private updatedAt: number

  constructor(job: Job.NewJob, now: number) {
    this.definition = job
    this.createdAt = now
    this.updatedAt = now
    this.expiresAt = now + job.lifeMs
  }

  /** Whether it was accepted and has not ended. */
  get isOpen(): boolean {
    return this.state === "queued" || this.state === "running"
  }

  /** Whether it is cancelled or forgotten. */
  get isStopped(): boolean {
    return this.isCancelled || this.state === "forgotten"
  }

  /** Number of operations that count against `JobLimits`. */
  get unfinished(): number {
    return this.isOpen ? this.extent!.total - Job.endedOf(this.tally) : 0
  }

  append(chunks: ReadonlyArray<Job.NewChunk>): void {
    for (const chunk of chunks) if (chunk.index === this.chunks.length) this.chunks.push(toWaiting(chunk))
  }

  accept(extent: Job.JobExtent, now: number): ReadonlyArray<Job.ChunkRef> {
    this.extent = extent
    this.state = "queued"
    this.touch(now)
    return this.send(extent.window, now)
  }

  /** The chunks that were due at first and still wait. */
  firstDue(window: number): ReadonlyArray<Job.ChunkRef> {
    return this.refsOf(this.chunks.slice(0, window).filter(isWaiting))
  }

  start({ chunk: index, dispatch }: Parameters<JobStore["start"]>[0], now: number): Job.StartedChunk | undefined {
    const chunk = this.chunks[index]
    if (chunk === undefined || !this.isOpen || this.expiresAt <= now || chunk.state === "ended") return undefined
    if (chunk.state === "running" && dispatch !== undefined && dispatch !== chunk.heldBy) return undefined
    chunk.state = "running"
    chunk.heldBy = dispatch ?? chunk.dispatch
    chunk.epoch++
    chunk.starts++
    chunk.aliveAt = now
    this.state = "running"
    this.touch(now)
    const { first, operations, payload, epoch, starts, parts } = chunk
    const hold = { job: this.definition.id, chunk: index, epoch }
    return { index, first, operations, payload, hold, starts, parts, job: this.record(now) }
  }

  checkpoint(hold: Job.ChunkHold, part: Job.ChunkPart, now: number): boolean {
    const chunk = this.held(hold)
    if (chunk === undefined) return false
    chunk.parts = [...chunk.parts.filter(({ at }) => at < part.at), part]
    chunk.starts = 1
    chunk.aliveAt = now
    return true
  }

  keepAlive(hold: Job.ChunkHold, now: number): boolean {
    const chunk = this.held(hold)
    if (chunk !== undefined) chunk.aliveAt = now
    return chunk !== undefined
  }

  commit(hold: Job.ChunkHold, outcome: Job.ChunkOutcome, keepMs: number, now: number): Job.ChunkCommit {
    const chunk = this.held(hold)
    if (chunk === undefined) return { _tag: "refused" }
    const { results, outcomes, halt } = outcome
    Object.assign(chunk, { state: "ended", results, outcomes, parts: [], payload: "" })
    this.tally = Job.sumOf(this.tally, Job.tallyOf(outcomes))
    if (halt !== undefined) this.endUnstarted(halt)
    this.touch(now)
    return { _tag: "kept", due: this.send(this.sent + 1, now), hasEnded: this.endIfComplete(keepMs, now) }
  }

  postpone(
    hold: Job.ChunkHold,
    delayMs: number,
    now: number,
    waitsFor: Job.JobWait["for"] | undefined,
  ): Job.ChunkRef | undefined {
    const chunk = this.held(hold)
    if (chunk === undefined) return undefined
    chunk.state = "waiting"
    chunk.starts--
    chunk.dispatch++
    chunk.waitsFor = waitsFor
    chunk.aliveAt = this.isCancelled ? 0 : now + delayMs
    return { job: hold.job, chunk: hold.chunk, dispatch: chunk.dispatch }
  }

  find(now: number): Job.JobRecord | ForgottenJob | undefined {
    if (this.extent === undefined) return undefined
    const { id, tenant } = this.definition
    return this.state === "forgotten" || this.expiresAt <= now ? { state: "forgotten", id, tenant } : this.record(now)
  }

  results({ from, limit, onlyFailed }: ChunksQuery): EndedChunks {
    const chunks: Array<Job.EndedChunk> = []
    let next = from
    for (; next < this.chunks.length && chunks.length < limit; next++) {
      const { index, first, operations, state, results, outcomes, code } = this.chunks[next]!
      if (state !== "ended") break
      const hasFailed = outcomes === undefined || /[^s]/.test(outcomes)
      if (!onlyFailed || hasFailed) chunks.push({ index, first, operations, results, outcomes, code })
    }
    return { chunks, next, isLast: next >= this.chunks.length }
  }

  cancel(keepMs: number, now: number): ReadonlyArray<Job.ChunkRef> | undefined {
    if (this.extent === undefined || this.state === "forgotten") return undefined
    if (!this.isOpen) return []
    this.isCancelled = true
    const refs = this.refsOf(this.chunks.slice(0, this.sent).filter(isUnstarted))
    this.endUnstarted("CANCELLED")
    for (const chunk of this.chunks) if (isWaiting(chunk)) chunk.aliveAt = 0
    this.touch(now)
    this.endIfComplete(keepMs, now)
    return refs
  }

  overdue(silentMs: number, limit: number, now: number): ReadonlyArray<Job.ChunkRef> {
    if (!this.isOpen) return []
    const found = this.chunks
      .filter(({ state, dispatch, aliveAt }) => {
        if (state === "ended" || aliveAt === undefined) return false
        const factor = state === "running" ? 1 : 2 ** Math.min(dispatch, 4)
        return aliveAt <= now - silentMs * factor
      })
      .slice(0, limit)
    for (const chunk of found) {
      chunk.aliveAt = now
      chunk.dispatch++
      chunk.heldBy = chunk.dispatch
    }
    return this.refsOf(found)
  }

  /** The chunk that is due for the longest time, and since when; undefined if none waits. */
  firstWaiting(now: number): { readonly chunk: number; readonly since: number } | undefined {
    if (!this.isOpen) return undefined
    let first: { readonly chunk: number; readonly since: number } | undefined
    for (const { index, state, aliveAt } of this.chunks.slice(0, this.sent)) {
      if (state !== "waiting" || aliveAt === undefined || aliveAt > now) continue
      if (first === undefined || aliveAt < first.since) first = { chunk: index, since: aliveAt }
    }
    return first
  }

  forget(expiresAt: number): void {
    this.state = "forgotten"
    this.chunks.length = 0
    this.expiresAt = expiresAt
  }

  private held({ chunk: index, epoch }: Job.ChunkHold): Chunk | undefined {
    const chunk = this.chunks[index]
    return chunk?.state === "running" && chunk.epoch === epoch ? chunk : undefined
  }

  // Marks the chunks up to an index as due. Returns those that wait.
  private send(to: number, now: number): ReadonlyArray<Job.ChunkRef> {
    const due = this.chunks.slice(this.sent, to).filter(isWaiting)
    this.sent = Math.min(this.chunks.length, Math.max(this.sent, to))
    for (const chunk of due) chunk.aliveAt = now
    return this.refsOf(due)
  }

  private endUnstarted(code: string): void {
    for (const chunk of this.chunks.filter(isUnstarted)) {
      Object.assign(chunk, { state: "ended", code, payload: "" })
      this.tally = Job.sumOf(this.tally, { succeeded: 0, failed: 0, skipped: chunk.operations })
    }
  }

  private endIfComplete(keepMs: number, now: number): boolean {
    if (this.chunks.some(({ state }) => state !== "ended")) return false
    this.state = Job.finalState(this.tally, this.isCancelled)
    this.expiresAt = now + keepMs
    return true
  }

  // The time of a change is unique, even if the clock stands still or runs backwards.
  private touch(now: number): void {
    this.updatedAt = Math.max(now, this.updatedAt + 1)
  }

  private refsOf(chunks: ReadonlyArray<Chunk>): ReadonlyArray<Job.ChunkRef> {
    return chunks.map(({ index, dispatch }) => ({ job: this.definition.id, chunk: index, dispatch }))
  }

  private waiting(now: number): Job.JobWait | undefined {
    const due = this.chunks.slice(0, this.sent)
    if (due.some(({ state }) => state === "running")) return undefined
    const waits = due.filter((chunk) => isWaiting(chunk) && chunk.waitsFor !== undefined && chunk.aliveAt! > now)
    return waits.length === 0 ? undefined : { for: "quota", until: Math.min(...waits.map(({ aliveAt }) => aliveAt!)) }
  }

  private record(now: number): Job.JobRecord {
    const { id, tenant, endpoint, settings } = this.definition
    const { isCancelled, createdAt, updatedAt, expiresAt } = this
    const { total, chunks } = this.extent!
    const state = this.state as Job.JobState
    const waiting = this.waiting(now)
    const times = { createdAt, updatedAt, expiresAt, ...(waiting && { waiting }) }
    return { id, tenant, endpoint, settings, state, ...this.tally, total, chunks, isCancelled, ...times }
  }
}

const toWaiting = (chunk: Job.NewChunk): Chunk => ({
  ...chunk,
  state: "waiting",
  epoch: 0,
  starts: 0,
  dispatch: 0,
  heldBy: 0,
  aliveAt: undefined,
  parts: [],
  results: undefined,
  outcomes: undefined,
  code: undefined,
  waitsFor: undefined,
})

const isWaiting = ({ state }: Chunk): boolean => state === "waiting"

// A chunk with results that were kept has started: only its next worker can complete them.
const isUnstarted = ({ state, parts }: Chunk): boolean => state === "waiting" && parts.length === 0
