/** Runs one chunk of a job: slice by slice, so that what was done is known when a worker dies. */
import { BatchError } from "../batch/BatchError.ts"
import { failure } from "../batch/Failure.ts"
import type { ChunkOutcome, ChunkPart, JobTally, StartedChunk } from "./Job.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { Strategy } from "../batch/Strategy.ts"
import type { UnitOfWork } from "../execution/UnitOfWork.ts"
import type { JobCharge, JobEndpoint } from "./JobEndpoint.ts"
import * as JobSpec from "./JobSpec.ts"
import { sliceOperations } from "./sliceOperations.ts"

/** How a chunk is run. */
export interface ChunkRunOptions {
  readonly endpoint: JobEndpoint
  /** Operations that are run and kept together. */
  readonly sliceSize: number
  /** Fires when the job is to stop: what runs is told so. */
  readonly cancelled: AbortSignal
  /** Fires when the worker is to stop: the slice that runs is ended. */
  readonly leaving: AbortSignal
  /** Keeps the results of a slice; whether the chunk is still this worker's. Undefined where nothing is kept before the end. */
  readonly keep: ((part: ChunkPart) => Promise<boolean>) | undefined
  /** The transaction that the chunk runs in; undefined for none. */
  readonly within: UnitOfWork | undefined
}

/**
 * How a run of a chunk ended: with all of its results; with some that are kept, and the rest to be run in so many
 * milliseconds; or with nothing, since the chunk is another worker's by now.
 */
export type ChunkEnd =
  | { readonly _tag: "done"; readonly outcome: ChunkOutcome }
  | { readonly _tag: "later"; readonly delayMs: number }
  | { readonly _tag: "lost" }

/** Milliseconds for which operations are waited for that another execution has begun. */
const patienceMs = 60_000

/** Runs what of a chunk was not run before. */
export const run = async (chunk: StartedChunk, options: ChunkRunOptions): Promise<ChunkEnd> => {
  const { endpoint, cancelled, leaving, keep } = options
  const settings = JobSpec.read(chunk.job.settings)
  const parts = [...chunk.parts]
  const slices = cut(chunk, parts, settings.strategy, options)
  const affordable = await pay(slices, chunk, options)
  if (affordable._tag === "later") return affordable
  let { count } = affordable
  try {
    for (const [place, slice] of slices.entries()) {
      if (leaving.aborted) return { _tag: "later", delayMs: 0 }
      if (count <= 0 && !cancelled.aborted) return { _tag: "later", delayMs: 0 }
      count -= slice.operations.length
      const failed = chunk.job.failed + sum(parts).failed
      const isHalted = settings.strategy._tag === "stop-after" && failed >= settings.strategy.failures
      if (isHalted) skip(slice.operations)
      else {
        const end = await runSlice(slice, { chunk, settings, failed, charge: affordable.charge }, options)
        if (end !== undefined) return end
      }
      const part = partOf(slice, chunk, endpoint, settings.data)
      parts.push(part)
      if (place < slices.length - 1 && keep !== undefined && !(await keep(part))) return { _tag: "lost" }
    }
  } finally {
    await affordable.charge?.release()
  }
  const tally = sum(parts)
  const { strategy } = settings
  const halts = strategy._tag === "stop-after" && chunk.job.failed + tally.failed >= strategy.failures
  const outcome = {
    results: parts.map(({ results }) => results).join("\n"),
    tally,
    halt: halts ? "SKIPPED" : undefined,
  }
  return { _tag: "done", outcome }
}

/** The results of a chunk whose workers have died: those that were kept, and for the others that this is so. */
export const bury = (chunk: StartedChunk, endpoint: Pick<JobEndpoint, "encodeResult"> | undefined): ChunkOutcome => {
  const known = chunk.parts.reduce((end, { at, results }) => Math.max(end, at + countOf(results)), 0)
  const lost = OperationResult.refused(
    failure("WORKER_LOST", "The workers that ran this operation died: whether it was done is not known", {
      retryable: false,
    }),
  )
  const lines = Array.from({ length: chunk.operations - known }, (_, place) => {
    const index = chunk.first + known + place
    const operation = blank(index, lost)
    return endpoint === undefined ? plain(index) : endpoint.encodeResult(operation, { index, data: false })
  })
  const before = sum(chunk.parts)
  return {
    results: [...chunk.parts.map(({ results }) => results), ...lines].join("\n"),
    tally: { ...before, failed: before.failed + lines.length },
    halt: undefined,
  }
}

interface Slice {
  /** Place of its first operation in the chunk. */
  readonly at: number
  readonly lines: ReadonlyArray<string>
  operations: ReadonlyArray<Operation>
}

const cut = (
  { payload, first }: StartedChunk,
  parts: ReadonlyArray<ChunkPart>,
  strategy: Strategy,
  { endpoint, sliceSize }: ChunkRunOptions,
): ReadonlyArray<Slice> => {
  const lines = payload.split("\n")
  const size = strategy._tag === "atomic" ? lines.length : sliceSize
  const slices: Array<Slice> = []
  for (
    let at = parts.reduce((end, part) => Math.max(end, part.at + countOf(part.results)), 0);
    at < lines.length;
    at += size
  ) {
    const own = lines.slice(at, at + size)
    slices.push({ at, lines: own, operations: sliceOperations(endpoint, own, first + at) })
  }
  return slices
}

type Affordable =
  | { readonly _tag: "paid"; readonly charge: JobCharge | undefined; readonly count: number }
  | { readonly _tag: "later"; readonly delayMs: number }

// A chunk is paid for as a whole, or else as many of its slices as the quota ever has units for: where they are kept.
const pay = async (
  slices: ReadonlyArray<Slice>,
  { job }: StartedChunk,
  { endpoint, cancelled, keep }: ChunkRunOptions,
): Promise<Affordable> => {
  const operations = slices.flatMap((slice) => slice.operations)
  if (cancelled.aborted) return { _tag: "paid", charge: undefined, count: operations.length }
  let count = operations.length
  while (true) {
    try {
      const charge = await endpoint.charge(operations.slice(0, count), job.tenant)
      return { _tag: "paid", charge, count }
    } catch (error) {
      const reason = error instanceof BatchError ? error.reason : undefined
      if (reason?._tag === "BatchExceedsQuota") {
        const fitting = keep === undefined ? 0 : wholeSlices(slices, Math.min(reason.limit, count - 1))
        if (fitting > 0) {
          count = fitting
          continue
        }
        const why = OperationResult.refused(failure(reason.code, reason.message, { status: reason.status }))
        for (const operation of operations) operation.result ??= why
        return { _tag: "paid", charge: undefined, count: operations.length }
      }
      if (reason !== undefined && "retryAfter" in reason && reason.retryAfter !== undefined) {
        return { _tag: "later", delayMs: reason.retryAfter * 1000 }
      }
      throw error
    }
  }
}

const wholeSlices = (slices: ReadonlyArray<Slice>, limit: number): number => {
  let count = 0
  for (const { operations } of slices) {
    if (count + operations.length > limit) break
    count += operations.length
  }
  return count
}

interface Circumstances {
  readonly chunk: StartedChunk
  readonly settings: JobSpec.JobSpec
  /** Operations of the job that have failed so far. */
  readonly failed: number
  readonly charge: JobCharge | undefined
}

// Undefined once every operation of the slice has its result.
const runSlice = async (
  slice: Slice,
  { chunk, settings, failed, charge }: Circumstances,
  { endpoint, cancelled, within }: ChunkRunOptions,
): Promise<ChunkEnd | undefined> => {
  const { strategy, keyScope } = settings
  const { tenant } = chunk.job
  const left: Strategy =
    strategy._tag === "stop-after" ? { ...strategy, failures: Math.max(1, strategy.failures - failed) } : strategy
  const began = charge?.began
  const runBatch = (operations: ReadonlyArray<Operation>) =>
    endpoint.run({ batch: { operations, strategy: left }, tenant, keyScope, stop: cancelled, began, within })
  try {
    await runBatch(slice.operations)
    for (let waitedMs = 0; waitedMs < patienceMs && !cancelled.aborted;) {
      const busy = slice.operations.filter(isBusy)
      if (busy.length === 0) break
      const delayMs = Math.max(...busy.map(({ result }) => (result!.failure!.retryAfter ?? 1) * 1000))
      await pause(delayMs, cancelled)
      waitedMs += delayMs
      const again = sliceOperations(
        endpoint,
        busy.map(({ index }) => slice.lines[index]!),
        chunk.first + slice.at,
      )
      await runBatch(again)
      for (const [place, { index }] of busy.entries()) {
        const operations = [...slice.operations]
        operations[index] = { ...again[place]!, index }
        slice.operations = operations
      }
    }
    return undefined
  } catch (error) {
    const reason = error instanceof BatchError ? error.reason : undefined
    const after = reason !== undefined && "retryAfter" in reason ? reason.retryAfter : undefined
    if (after === undefined) throw error
    return { _tag: "later", delayMs: after * 1000 }
  }
}

const isBusy = ({ result }: Operation): boolean => result?.failure?.code === "IDEMPOTENCY_IN_PROGRESS"

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener("abort", end)
      resolve()
    }
    const timer = setTimeout(end, Math.min(milliseconds, patienceMs))
    signal.addEventListener("abort", end)
    if (signal.aborted) end()
  })

const skip = (operations: ReadonlyArray<Operation>): void => {
  for (const operation of operations) {
    operation.result ??= OperationResult.skipped(
      failure("SKIPPED", "Not begun: earlier operations failed", { retryable: true }),
    )
  }
}

const partOf = (
  { at, operations }: Slice,
  { first }: StartedChunk,
  { encodeResult }: JobEndpoint,
  data: boolean | undefined,
): ChunkPart => {
  let succeeded = 0
  let skipped = 0
  const lines = operations.map((operation) => {
    const outcome = operation.result!.outcome
    if (outcome === "success") succeeded++
    else if (outcome === "skipped") skipped++
    return encodeResult(operation, { index: first + at + operation.index, data })
  })
  const tally: JobTally = { succeeded, skipped, failed: operations.length - succeeded - skipped }
  return { at, results: lines.join("\n"), tally }
}

const sum = (parts: ReadonlyArray<Pick<ChunkPart, "tally">>): JobTally =>
  parts.reduce<JobTally>(
    (all, { tally }) => ({
      succeeded: all.succeeded + tally.succeeded,
      failed: all.failed + tally.failed,
      skipped: all.skipped + tally.skipped,
    }),
    { succeeded: 0, failed: 0, skipped: 0 },
  )

const countOf = (results: string): number => {
  let count = 1
  for (let at = results.indexOf("\n"); at >= 0; at = results.indexOf("\n", at + 1)) count++
  return count
}

const blank = (index: number, result: OperationResult): Operation => ({
  index,
  id: undefined,
  action: "",
  input: undefined,
  orderKey: undefined,
  dependsOn: [],
  result,
})

const plain = (index: number): string =>
  JSON.stringify({ index, status: "error", error: { code: "WORKER_LOST", message: "No worker knows this endpoint" } })
