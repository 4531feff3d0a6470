/**
 * What a batch with a key of its own has done so far: one line per operation, in one record. A retry replays the lines
 * and runs the rest.
 */
import type { Operation } from "../domain/Operation.ts"
import type { OperationResult } from "../domain/OperationResult.ts"
import type { SettleItem } from "../ports/IdempotencyStore.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import type { ValueFormat } from "../ports/Codec.ts"
import * as StoredResult from "./StoredResult.ts"

/** @category models @since 0.1.0 */
export class BatchJournal {
  readonly claim: HashedKey
  private readonly codec: StoredResult.ResultCodec | undefined
  private readonly lines = new Map<Operation, string>()
  /** Characters that the store has. */
  private stored: number
  /** Operations whose lines the store does not have yet. */
  private pending: Array<Operation> = []

  constructor(claim: HashedKey, codec: StoredResult.ResultCodec | undefined, journal: string) {
    this.claim = claim
    this.codec = codec
    this.stored = journal.length
  }

  /** Adds the result of an operation, if it is not there yet. */
  async add(operation: Operation, text: string): Promise<void> {
    if (this.lines.has(operation)) return
    const encoded = this.codec === undefined ? text : await this.codec.encode(text, this.claim.key)
    this.set(operation, `${operation.index}:${encoded}\n`)
    this.pending.push(operation)
  }

  /** Keeps the line of an operation that the store has already. */
  set(operation: Operation, line: string): void {
    this.lines.set(operation, line)
  }

  /** What the store is to be told: that the batch is done, what was added, or that nothing came of it. */
  item(operations: ReadonlyArray<Operation>, isLast: boolean): SettleItem | undefined {
    const chunk = this.chunk()
    if (isLast && this.isComplete(operations)) {
      const result = operations.map((operation) => this.lines.get(operation)!).join("")
      return { ...this.claim, action: { _tag: "complete", result } }
    }
    if (isLast && this.stored === 0 && chunk === "") {
      return operations.some(mayStillRun) ? undefined : { ...this.claim, action: { _tag: "release" } }
    }
    if (chunk !== "") return { ...this.claim, action: { _tag: "append", at: this.stored, chunk } }
    return isLast && !operations.some(mayStillRun) ? { ...this.claim, action: { _tag: "extend" } } : undefined
  }

  /** Notes that the store has all that was added. */
  commit(): void {
    this.stored += this.chunk().length
    this.pending = []
  }

  /** Forgets what was added and not told: the transaction it was to be told in came to nothing. */
  discard(): void {
    for (const operation of this.pending) this.lines.delete(operation)
    this.pending = []
  }

  private chunk(): string {
    return this.pending.map((operation) => this.lines.get(operation)!).join("")
  }

  /** Whether the batch is not done, but nothing of it can be running any more. */
  isResumable(operations: ReadonlyArray<Operation>): boolean {
    return !this.isComplete(operations) && !operations.some(mayStillRun)
  }

  private isComplete(operations: ReadonlyArray<Operation>): boolean {
    return operations.every((operation) => this.lines.has(operation))
  }
}

const mayStillRun = ({ result }: Operation): boolean =>
  result?.outcome === "error" && (result.failure?.code === "TIMEOUT" || result.failure?.code === "DEADLINE_EXCEEDED")

/**
 * Reads a journal: the results of operations, and their lines, by index.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readJournal = async (
  journal: string,
  key: string,
  codec: StoredResult.ResultCodec | undefined,
  format: ValueFormat,
): Promise<ReadonlyMap<number, { readonly line: string; readonly result: OperationResult }>> => {
  const read = new Map<number, { readonly line: string; readonly result: OperationResult }>()
  for (const line of journal.split("\n")) {
    const colon = line.indexOf(":")
    const index = colon === -1 ? Number.NaN : Number(line.slice(0, colon))
    if (!Number.isSafeInteger(index)) continue
    const result = await decode(line.slice(colon + 1), key, codec, format)
    read.set(index, { line: `${line}\n`, result })
  }
  return read
}

/** Reads one stored text. @category decoding @since 0.1.0 */
export const decode = async (
  text: string,
  key: string,
  codec: StoredResult.ResultCodec | undefined,
  format: ValueFormat,
): Promise<OperationResult> => {
  try {
    return StoredResult.read(codec === undefined ? text : await codec.decode(text, key), format)
  } catch {
    return StoredResult.unreadable()
  }
}
