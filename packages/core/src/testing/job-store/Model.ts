/**
 * What a store of jobs is to answer, as the shortest program that says it: the oracle of random commands.
 *
 * It shares nothing with any store, the one in memory included, so that a misreading of the port shows.
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
  JobState,
  JobTally,
  NewChunk,
  NewJob,
} from "../../jobs/Job.ts"
import type { ChunksQuery } from "../../jobs/JobStore.ts"

interface Piece {
  readonly of: NewChunk
  is: "waiting" | "running" | "ended"
  epoch: number
  starts: number
  dispatch: number
  by: number
  heard: number
  parts: ReadonlyArray<ChunkPart>
  text: string | undefined
  code: string | undefined
  flawed: boolean
}

interface Known {
  readonly job: NewJob
  readonly extent: JobExtent
  readonly pieces: ReadonlyArray<Piece>
  readonly madeAt: number
  is: "queued" | "running" | "ended" | "forgotten"
  sum: JobTally
  stop: boolean
  due: number
  over: number
}

/** A hold, as the model knows it. */
export interface ModelHold {
  readonly job: string
  readonly chunk: number
  readonly epoch: number
}

export class Model {
  private readonly known = new Map<string, Known>()

  submit(
    job: NewJob,
    extent: JobExtent,
    chunks: ReadonlyArray<NewChunk>,
    limits: JobLimits,
    now: number,
  ): JobAcceptance {
    const live = [...this.known.values()].filter(({ is }) => is !== "forgotten")
    const same = live.find((other) => job.key !== undefined && other.job.key === job.key)
    const isSame = same?.extent.fingerprint === extent.fingerprint
    if (same !== undefined) return { _tag: "exists", id: same.job.id, isSame }
    const queued = this.queued()
    if (queued + extent.total > limits.queuedOperations) return { _tag: "full", queued }
    const own = live.filter((other) => other.is !== "ended" && other.job.tenant === job.tenant)
    if (own.length >= (limits.jobsPerTenant ?? Number.POSITIVE_INFINITY)) return { _tag: "tenant-full" }
    const fresh = {
      is: "waiting",
      epoch: 0,
      starts: 0,
      dispatch: 0,
      by: 0,
      heard: now,
      parts: [],
      flawed: false,
    } as const
    const pieces = chunks.map((of): Piece => ({ ...fresh, of, text: undefined, code: undefined }))
    const times = { madeAt: now, over: now + job.lifeMs }
    const known: Known = { job, extent, pieces, ...times, is: "queued", sum: none, stop: false, due: 0 }
    this.known.set(job.id, known)
    return { _tag: "accepted", due: this.send(known, extent.window, now) }
  }

  start(id: string, chunk: number, dispatch: number | undefined, now: number) {
    const known = this.open(id)
    const piece = known?.pieces[chunk]
    if (known === undefined || piece === undefined || piece.is === "ended") return undefined
    const by = dispatch ?? (piece.is === "running" ? piece.by : piece.dispatch)
    if (piece.is === "running" && by !== piece.by) return undefined
    Object.assign(piece, {
      is: "running",
      by: dispatch ?? piece.dispatch,
      epoch: piece.epoch + 1,
      starts: piece.starts + 1,
      heard: now,
    })
    known.is = "running"
    return { ...piece.of, starts: piece.starts, parts: piece.parts, epoch: piece.epoch, job: this.see(id) }
  }

  /** How many chunks of a job are due, or were. */
  due(id: string): number {
    return this.known.get(id)?.due ?? 0
  }

  /** How much of a held chunk is kept; undefined where the hold is over. */
  held({ job, chunk, epoch }: ModelHold): Piece | undefined {
    const piece = this.open(job)?.pieces[chunk]
    return piece?.is === "running" && piece.epoch === epoch ? piece : undefined
  }

  checkpoint(hold: ModelHold, part: ChunkPart, now: number): boolean {
    const piece = this.held(hold)
    if (piece === undefined) return false
    const parts = piece.parts.some(({ at }) => at === part.at) ? piece.parts : [...piece.parts, part]
    Object.assign(piece, { parts, starts: 1, heard: now })
    return true
  }

  commit(hold: ModelHold, { results, tally, halt }: ChunkOutcome, keepMs: number, now: number): ChunkCommit {
    const piece = this.held(hold)
    if (piece === undefined) return { _tag: "refused" }
    const known = this.known.get(hold.job)!
    Object.assign(piece, { is: "ended", text: results, flawed: tally.failed + tally.skipped > 0 })
    known.sum = plus(known.sum, tally)
    if (halt !== undefined) this.halt(known, halt)
    const due = this.send(known, 1, now)
    return { _tag: "kept", due, hasEnded: this.endIfOver(known, keepMs, now) }
  }

  postpone(hold: ModelHold, delayMs: number, now: number): ChunkRef | undefined {
    const piece = this.held(hold)
    if (piece === undefined) return undefined
    const { starts, dispatch } = piece
    const known = this.known.get(hold.job)!
    const heard = known.stop ? 0 : now + delayMs
    Object.assign(piece, { is: "waiting", starts: starts - 1, dispatch: dispatch + 1, heard })
    return refOf(known, piece)
  }

  cancel(id: string, keepMs: number, now: number): ReadonlyArray<ChunkRef> | undefined {
    const known = this.known.get(id)
    if (known === undefined || known.is === "forgotten") return undefined
    if (known.is === "ended") return []
    known.stop = true
    const sent = known.pieces.slice(0, known.due).filter(({ is }) => is === "waiting")
    this.halt(known, "CANCELLED")
    for (const piece of sent) if (piece.is === "waiting") piece.heard = 0
    this.endIfOver(known, keepMs, now)
    return sent.filter(({ is }) => is === "ended").map((piece) => refOf(known, piece))
  }

  cancelled(ids: ReadonlyArray<string>): ReadonlyArray<string> {
    return ids.filter((id) => {
      const known = this.known.get(id)
      return known === undefined || known.is === "forgotten" || known.stop
    })
  }

  overdue(silentMs: number, now: number): ReadonlyArray<ChunkRef> {
    return [...this.known.keys()].flatMap((id) => {
      const known = this.open(id)
      const silent = known?.pieces.slice(0, known.due).filter(({ is, heard, dispatch }) => {
        const times = is === "running" ? 1 : ([1, 2, 4, 8][dispatch] ?? 16)
        return is !== "ended" && heard + times * silentMs <= now
      })
      return (silent ?? []).map((piece) => {
        Object.assign(piece, { dispatch: piece.dispatch + 1, by: piece.dispatch + 1, heard: now })
        return refOf(known!, piece)
      })
    })
  }

  sweep(tombstoneMs: number, now: number): void {
    for (const [id, known] of this.known) {
      if (known.over > now) continue
      if (known.is === "forgotten") this.known.delete(id)
      else Object.assign(known, { is: "forgotten", over: now + tombstoneMs })
    }
  }

  queued(): number {
    return [...this.known.keys()]
      .flatMap((id) => this.open(id)?.pieces ?? [])
      .reduce((sum, { is, of }) => (is === "ended" ? sum : sum + of.operations), 0)
  }

  /** What there is to see of a job, the time of its last change aside. */
  see(id: string) {
    const known = this.known.get(id)
    if (known === undefined) return undefined
    const { job, extent, is, sum, stop, madeAt, over } = known
    const { tenant, endpoint, settings } = job
    if (is === "forgotten") return { state: "forgotten" as const, id, tenant }
    const state: JobState = is === "ended" ? endOf(sum, stop) : is
    const { total, chunks } = extent
    const rest = { ...sum, isCancelled: stop, createdAt: madeAt, expiresAt: over }
    return { id, tenant, endpoint, settings, state, total, chunks, ...rest }
  }

  results(id: string, { from, limit, onlyFailed }: ChunksQuery): ReadonlyArray<EndedChunk> {
    const known = this.known.get(id)
    const pieces = known === undefined || known.is === "forgotten" ? [] : known.pieces.slice(from)
    const end = pieces.findIndex(({ is }) => is !== "ended")
    return pieces
      .slice(0, end < 0 ? pieces.length : end)
      .filter(({ flawed }) => flawed || !onlyFailed)
      .slice(0, limit)
      .map(({ of: { index, first, operations }, text, code }) => ({ index, first, operations, results: text, code }))
  }

  private open(id: string): Known | undefined {
    const known = this.known.get(id)
    return known?.is === "queued" || known?.is === "running" ? known : undefined
  }

  private send(known: Known, count: number, now: number): ReadonlyArray<ChunkRef> {
    const next = known.pieces.slice(known.due, known.due + count)
    known.due += next.length
    const due = next.filter(({ is }) => is !== "ended")
    for (const piece of due) piece.heard = now
    return due.map((piece) => refOf(known, piece))
  }

  private halt(known: Known, code: string): void {
    for (const piece of known.pieces) {
      if (piece.is !== "waiting" || piece.parts.length > 0) continue
      Object.assign(piece, { is: "ended", code, flawed: true })
      known.sum = plus(known.sum, { ...none, skipped: piece.of.operations })
    }
  }

  private endIfOver(known: Known, keepMs: number, now: number): boolean {
    if (known.pieces.some(({ is }) => is !== "ended")) return false
    Object.assign(known, { is: "ended", over: now + keepMs })
    return true
  }
}

const none: JobTally = { succeeded: 0, failed: 0, skipped: 0 }

const plus = (one: JobTally, two: JobTally): JobTally => ({
  succeeded: one.succeeded + two.succeeded,
  failed: one.failed + two.failed,
  skipped: one.skipped + two.skipped,
})

const endOf = ({ succeeded, failed, skipped }: JobTally, stop: boolean): JobState => {
  if (stop) return "cancelled"
  if (succeeded === 0) return "failed"
  return failed + skipped === 0 ? "succeeded" : "partial"
}

const refOf = ({ job }: Known, { of, dispatch }: Piece): ChunkRef => ({ job: job.id, chunk: of.index, dispatch })
