/** A codec under test, and a client that speaks its format. */
import * as fc from "fast-check"
import type { Batch } from "../../batch/Batch.ts"
import type { Codec } from "../../batch/Codec.ts"
import { failure } from "../../batch/Failure.ts"
import type { Operation } from "../../batch/Operation.ts"
import { OperationResult } from "../../batch/OperationResult.ts"

/** One operation's result as a client reads it. */
export interface Reading {
  /** Whether the operation succeeded. */
  readonly succeeded: boolean
  /** The code of the failure; undefined for a success. */
  readonly code: string | undefined
  /** The message of the failure; for a success, the `mark` that `success` got. */
  readonly mark: string
}

/** A codec, and a client that speaks its format. `Sent` is an operation as the client has it. */
export interface Subject<Input, Sent> {
  readonly codec: Codec<Input>
  /** The operations of one valid batch: at least one, at most a hundred. */
  readonly sent: fc.Arbitrary<ReadonlyArray<Sent>>
  /** The body that a client sends for these operations, as a JSON value. */
  readonly write: (sent: ReadonlyArray<Sent>) => Readonly<Record<string, unknown>>
  /** The inverse of `write`: what the client sent for an operation that the codec decoded. */
  readonly see: (operation: Operation<Input>) => Sent
  /** The result of an operation that succeeded. The response contains `mark`. */
  readonly success: (mark: string) => OperationResult
  /** The results in a response, in its order. `body` is parsed. */
  readonly read: (body: unknown) => ReadonlyArray<Reading>
  /** Bodies that are hostile to this format in particular. */
  readonly hostile?: ReadonlyArray<unknown> | undefined
}

type End = "success" | "error" | "skipped"

/** How an operation ends, and a text for its result. */
export const endings: fc.Arbitrary<[End, string]> = fc.tuple(
  fc.constantFrom<End>("success", "error", "skipped"),
  fc.string({ unit: "binary" }),
)

/** Gives every operation a result with its own mark. Returns what the client has to read. */
export const finish = <Input, Sent>(
  { operations }: Batch<Input>,
  ends: Iterable<[End, string]>,
  { success }: Subject<Input, Sent>,
): ReadonlyArray<Reading> => {
  const stream = ends[Symbol.iterator]()
  return operations.map((operation) => {
    const [end, text] = stream.next().value as [End, string]
    const mark = `${operation.index} ${text}`
    const code = end === "skipped" ? "SKIPPED" : "CONFLICT"
    if (end === "success") operation.result = success(mark)
    else operation.result = OperationResult[end](failure(code, mark))
    return { succeeded: end === "success", code: end === "success" ? undefined : code, mark }
  })
}
