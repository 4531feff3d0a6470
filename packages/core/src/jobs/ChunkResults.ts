/** Encodes the results of a chunk. */
import type { ItemCodec } from "../batch/Codec.ts"
import { failure } from "../batch/Failure.ts"
import { OperationResult, type Outcome } from "../batch/OperationResult.ts"
import * as MultiStatus from "../formats/MultiStatus.ts"
import { type ChunkSlice, keptCount } from "./ChunkSlice.ts"
import type { ChunkOutcome, ChunkPart, ChunkResults, StartedChunk } from "./Job.ts"

/** Encodes one result; the encoder of the job's format. */
export type EncodeResult = ItemCodec<unknown>["encodeResult"]

/** Encodes the results of a slice that has run. `data` tells whether they include what the actions returned. */
export const partOf = (
  { at, operations }: ChunkSlice,
  { first }: StartedChunk,
  encodeResult: EncodeResult,
  data: boolean | undefined,
): ChunkPart => ({
  at,
  results: operations
    .map((operation) => encodeResult(operation, { index: first + at + operation.index, data }))
    .join("\n"),
  outcomes: operations.map(({ result }) => characters[result!.outcome]).join(""),
})

/** Joins results that follow each other. */
export const join = (parts: ReadonlyArray<ChunkResults>): ChunkResults => ({
  results: parts.map(({ results }) => results).join("\n"),
  outcomes: parts.map(({ outcomes }) => outcomes).join(""),
})

/**
 * Encodes the result of an operation that did not run. `encodeResult` is undefined if no endpoint of this process has the
 * format of the job.
 */
export const encodeNotRun = (
  result: OperationResult,
  index: number,
  encodeResult: EncodeResult = MultiStatus.encodeResult,
): string => {
  const operation = { index, id: undefined, action: "", input: undefined, orderKey: undefined, dependsOn: [], result }
  return encodeResult(operation, { index, data: false })
}

/** The results of a chunk that is given up, because it kills its workers: those that are kept, and errors for the rest. */
export const giveUp = (chunk: StartedChunk, encodeResult: EncodeResult | undefined): ChunkOutcome => {
  const kept = keptCount(chunk)
  const count = chunk.operations - kept
  const results = Array.from({ length: count }, (_, position) =>
    encodeNotRun(workerLost, chunk.first + kept + position, encodeResult),
  )
  const rest = { results: results.join("\n"), outcomes: characters.error.repeat(count) }
  return { ...join(count === 0 ? chunk.parts : [...chunk.parts, rest]), halt: undefined }
}

const workerLost = OperationResult.refused(
  failure("WORKER_LOST", "The workers that ran this operation died, and it is not known whether it took effect", {
    retryable: false,
  }),
)

const characters: Readonly<Record<Outcome, string>> = { success: "s", error: "f", skipped: "-" }
