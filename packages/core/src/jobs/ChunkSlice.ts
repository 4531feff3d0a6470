/** A slice of a chunk: operations that run, and whose results are kept, together. */
import type { Operation } from "../batch/Operation.ts"
import { decodeLine, type LineDecoder, readLines } from "./ChunkPayload.ts"
import type { StartedChunk } from "./Job.ts"

/** Some operations of a chunk that are to run. Their indexes count from the start of the slice. */
export interface ChunkSlice {
  /** Position of its first operation in the chunk. */
  readonly at: number
  readonly operations: ReadonlyArray<Operation>
  /** Decodes operations again, by their indexes in the slice, so that they can run again. */
  readonly decodeAgain: (indexes: ReadonlyArray<number>) => ReadonlyArray<Operation>
}

/** Cuts the operations that have no results yet into slices of at most `size`. */
export const cut = (chunk: StartedChunk, size: number, decoder: LineDecoder): ReadonlyArray<ChunkSlice> => {
  const lines = readLines(chunk.payload)
  const slices: Array<ChunkSlice> = []
  for (let at = keptCount(chunk); at < lines.length; at += size) {
    const own = lines.slice(at, at + size)
    const decode = (line: number, index: number) => decodeLine(decoder, own[line]!, index, chunk.first + at + line + 1)
    slices.push({
      at,
      operations: own.map((_, line) => decode(line, line)),
      decodeAgain: (indexes) => indexes.map(decode),
    })
  }
  return slices
}

/** The number of operations whose results are kept. */
export const keptCount = ({ parts }: Pick<StartedChunk, "parts">): number =>
  parts.reduce((end, { at, outcomes }) => Math.max(end, at + outcomes.length), 0)
