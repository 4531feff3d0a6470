import { BloomFilter } from "./BloomFilter.ts"

/** Tells whether the chunks of a job have to run one after the other, because an order key is in more than one of them. */
export class ChunkOrder {
  /** Whether they have to. */
  isSequential: boolean
  private readonly earlier: BloomFilter
  private readonly current = new Set<string>()

  /** `expected` is the approximate number of operations. */
  constructor(isSequential: boolean, expected: number) {
    this.isSequential = isSequential
    this.earlier = new BloomFilter(isSequential ? 0 : expected)
  }

  /** Adds an operation to the current chunk, in which operations keep their order anyway. */
  add(orderKey: string | undefined): void {
    if (orderKey !== undefined) this.current.add(orderKey)
  }

  /** Ends the current chunk. */
  endChunk(): void {
    for (const orderKey of this.current) if (this.earlier.add(orderKey)) this.isSequential = true
    this.current.clear()
  }
}
