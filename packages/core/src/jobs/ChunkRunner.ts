/** Runs one chunk of a job, slice by slice, so that little has to run again if its worker dies. */
import { failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { Strategy } from "../batch/Strategy.ts"
import type { UnitOfWork } from "../execution/UnitOfWork.ts"
import { charge, retryDelayOf } from "./ChunkCharge.ts"
import { join, partOf } from "./ChunkResults.ts"
import { type ChunkSlice, cut } from "./ChunkSlice.ts"
import { type ChunkOutcome, type ChunkPart, type JobWait, type StartedChunk, tallyOf } from "./Job.ts"
import type { JobCharge, JobEndpoint } from "./JobEndpoint.ts"
import * as JobSpec from "./JobSpec.ts"
import { pause } from "./pause.ts"

/** Options of one run. */
export interface ChunkRunOptions {
  readonly endpoint: JobEndpoint
  /** Number of operations that run, and whose results are kept, together. */
  readonly sliceSize: number
  /** Aborts the run: running operations are aborted, and the others are skipped. */
  readonly stop: AbortSignal
  /** Ends the run after the current slice. */
  readonly closing: AbortSignal
  /** Asked before each slice but the first: whether the run ends, because another tenant is due. */
  readonly yields: () => Promise<boolean>
  /** Keeps the results of a slice; returns false if the hold on the chunk is over. Undefined to keep nothing. */
  readonly checkpoint: ((part: ChunkPart) => Promise<boolean>) | undefined
  /** The open transaction that the chunk runs in; undefined for none. */
  readonly within: UnitOfWork | undefined
}

/** How a run ended. */
export type ChunkRun =
  /** Every operation has its result. */
  | { readonly _tag: "completed"; readonly outcome: ChunkOutcome }
  /** The chunk is to continue in `delayMs` milliseconds, after the results that are kept. */
  | { readonly _tag: "postponed"; readonly delayMs: number; readonly waitsFor?: JobWait["for"] | undefined }
  /** The hold on the chunk is over. */
  | { readonly _tag: "lost" }

/** Runs the operations of a chunk that have no results yet. */
export const run = async (chunk: StartedChunk, options: ChunkRunOptions): Promise<ChunkRun> => {
  const { endpoint, sliceSize, stop, closing, checkpoint, yields } = options
  const spec = JobSpec.read(chunk.job.settings)
  const { strategy } = spec
  const slices = cut(chunk, strategy._tag === "atomic" ? chunk.operations : sliceSize, endpoint)
  const parts = [...chunk.parts]
  const failedCount = () => parts.reduce((sum, { outcomes }) => sum + tallyOf(outcomes).failed, chunk.job.failed)
  // Nothing is charged for a chunk that will not run.
  const charged = stop.aborted
    ? ({ _tag: "charged", charge: undefined, count: chunk.operations } as const)
    : await charge(endpoint, chunk.job.tenant, slices, checkpoint !== undefined)
  if (charged._tag === "postponed") return charged
  let { count } = charged
  try {
    for (const slice of slices) {
      if (closing.aborted || (count <= 0 && !stop.aborted)) return { _tag: "postponed", delayMs: 0 }
      if (slice !== slices[0] && checkpoint !== undefined && (await yields())) return { _tag: "postponed", delayMs: 0 }
      count -= slice.operations.length
      const failed = failedCount()
      let operations: ReadonlyArray<Operation> = slice.operations
      if (isHalted(strategy, failed)) skip(operations)
      else {
        const ran = await runSlice(slice, { chunk, spec, failed, charge: charged.charge }, options)
        if ("_tag" in ran) return ran
        operations = ran
      }
      const part = partOf({ ...slice, operations }, chunk, endpoint.items.encodeResult, spec.data)
      parts.push(part)
      if (slice !== slices.at(-1) && checkpoint !== undefined && !(await checkpoint(part))) return { _tag: "lost" }
    }
  } finally {
    await charged.charge?.release()
  }
  const halt = isHalted(strategy, failedCount()) ? "SKIPPED" : undefined
  return { _tag: "completed", outcome: { ...join(parts), halt } }
}

const isHalted = (strategy: Strategy, failed: number): boolean =>
  strategy._tag === "stop-after" && failed >= strategy.failures

interface SliceContext {
  readonly chunk: StartedChunk
  readonly spec: JobSpec.JobSpec
  /** Number of operations of the job that have failed. */
  readonly failed: number
  readonly charge: JobCharge | undefined
}

// Returns the operations with their results.
const runSlice = async (
  slice: ChunkSlice,
  { chunk, spec, failed, charge }: SliceContext,
  { endpoint, stop, closing, within }: ChunkRunOptions,
): Promise<ReadonlyArray<Operation> | Extract<ChunkRun, { readonly _tag: "postponed" }>> => {
  const { strategy, keyScope } = spec
  const remaining: Strategy =
    strategy._tag === "stop-after" ? { ...strategy, failures: Math.max(1, strategy.failures - failed) } : strategy
  const { tenant } = chunk.job
  const runBatch = (operations: ReadonlyArray<Operation>) =>
    endpoint.run({
      batch: { operations, strategy: remaining },
      tenant,
      keyScope,
      stop,
      began: charge?.began,
      within,
    })
  const operations = [...slice.operations]
  try {
    await runBatch(operations)
    const backoff = { waitedMs: 0, nextMs: firstRetryMs }
    while (backoff.waitedMs < longestWaitMs && !stop.aborted && !closing.aborted) {
      const due = dueAgain(operations, strategy, within)
      if (due.length === 0) break
      const askedMs = Math.max(...due.map(({ result }) => (result?.failure?.retryAfter ?? 0) * 1000))
      const delayMs = Math.min(Math.max(askedMs, backoff.nextMs), longestWaitMs - backoff.waitedMs)
      await pause(delayMs, AbortSignal.any([stop, closing]))
      backoff.waitedMs += delayMs
      backoff.nextMs = Math.min(2 * backoff.nextMs, longestRetryMs)
      if (stop.aborted) break
      const again = slice.decodeAgain(due.map(({ index }) => index))
      await runBatch(again)
      for (const [position, { index }] of due.entries()) operations[index] = { ...again[position]!, index }
    }
    // The next worker runs them again. Results of this slice are not kept.
    if (closing.aborted && !stop.aborted && dueAgain(operations, strategy, within).length > 0) {
      return { _tag: "postponed", delayMs: 0 }
    }
    return operations
  } catch (error) {
    const delayMs = retryDelayOf(error)
    if (delayMs === undefined) throw error
    return { _tag: "postponed", delayMs }
  }
}

/** Maximum time for which operations of a slice are tried again, in milliseconds. */
const longestWaitMs = 60_000

/** Milliseconds before the first retry; each further delay is twice as long, up to the longest. */
const firstRetryMs = 250
const longestRetryMs = 8000

// Operations that may succeed soon: their idempotency keys are in use by another execution, or a store was unreachable. An
// operation that was skipped or rolled back because of them runs again, too. A transaction whose connection is lost cannot
// continue: then the whole chunk runs again.
const dueAgain = (
  operations: ReadonlyArray<Operation>,
  strategy: Strategy,
  within: UnitOfWork | undefined,
): ReadonlyArray<Operation> => {
  const isTransient = (operation: Operation) => isBusy(operation) || (within === undefined && lostStore(operation))
  const transient = operations.filter(isTransient)
  if (transient.length === 0 || strategy._tag === "partial") return transient
  return strategy._tag === "atomic"
    ? operations
    : operations.filter((operation) => isTransient(operation) || operation.result?.outcome === "skipped")
}

const isBusy = ({ result }: Operation): boolean => result?.failure?.code === "IDEMPOTENCY_IN_PROGRESS"

const lostStore = ({ result }: Operation): boolean =>
  result?.failure?.code === "STORE_UNAVAILABLE" && result.failure.retryable === true

const skip = (operations: ReadonlyArray<Operation>): void => {
  for (const operation of operations) {
    operation.result ??= OperationResult.skipped(
      failure("SKIPPED", "The operation did not start, because earlier operations failed", { retryable: true }),
    )
  }
}
