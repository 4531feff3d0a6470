/** Cuts the operations of a job into chunks as they come. */
import { utf8Length } from "../batch/Json.ts"
import type { NewChunk } from "./Job.ts"

/** What a chunk may have at most; one operation may be larger than `bytes`. */
export interface ChunkSize {
  readonly operations: number
  readonly bytes: number
}

export class ChunkCutter {
  /** Operations so far. */
  total = 0
  /** Chunks that were cut so far. */
  chunks = 0
  private readonly size: ChunkSize
  private lines: Array<string> = []
  private bytes = 0

  constructor(size: ChunkSize) {
    this.size = size
  }

  /** Adds an operation, one JSON text without line feeds; answers the chunk that it did not fit in any more, if there is one. */
  add(line: string): NewChunk | undefined {
    const bytes = utf8Length(line) + 1
    const isFull = this.lines.length >= this.size.operations || this.bytes + bytes > this.size.bytes
    const cut = isFull && this.lines.length > 0 ? this.cut() : undefined
    this.lines.push(line)
    this.bytes += bytes
    this.total++
    return cut
  }

  /** The last chunk; undefined where nothing is left. */
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
