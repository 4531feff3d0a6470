/** Cuts the operations of a job into chunks as they arrive. */
import { utf8Length } from "../batch/Json.ts"
import type { NewChunk } from "./Job.ts"

/** Maximum size of a chunk. A chunk of one operation may have more than `bytes`. */
export interface ChunkSize {
  readonly operations: number
  readonly bytes: number
}

export class ChunkCutter {
  /** Number of operations that were added. */
  total = 0
  /** Number of chunks that were cut. */
  chunks = 0
  private readonly size: ChunkSize
  private lines: Array<string> = []
  private bytes = 0

  constructor(size: ChunkSize) {
    this.size = size
  }

  /** Adds the line of an operation. Returns the chunk before it, if the operation did not fit into it. */
  add(line: string): NewChunk | undefined {
    const bytes = utf8Length(line) + 1
    const isFull = this.lines.length >= this.size.operations || this.bytes + bytes > this.size.bytes
    const chunk = isFull && this.lines.length > 0 ? this.cut() : undefined
    this.lines.push(line)
    this.bytes += bytes
    this.total++
    return chunk
  }

  /** Returns the last chunk; undefined if there are no operations left. */
  end(): NewChunk | undefined {
    return this.lines.length === 0 ? undefined : this.cut()
  }

  private cut(): NewChunk {
    const operations = this.lines.length
    const chunk = { index: this.chunks++, first: this.total - operations, operations, payload: this.lines.join("\n") }
    this.lines = []
    this.bytes = 0
    return chunk
  }
}
