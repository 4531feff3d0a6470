import * as Result from "effect/Result"
import { type Failure, failure } from "../batch/Failure.ts"
import * as Json from "../batch/Json.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { JobEndpoint } from "./JobEndpoint.ts"

/**
 * Reads the operations of some lines, as the endpoint would have read them from one body. A line that holds none becomes
 * an operation that has failed: `first` is the number of the first line in the job, from 0.
 */
export const sliceOperations = (
  { codec, limits, strategy }: Pick<JobEndpoint, "codec" | "limits" | "strategy">,
  lines: ReadonlyArray<string>,
  first: number,
): ReadonlyArray<Operation> => {
  const wrong = new Map<number, Failure>()
  const items = lines.map((line, index) => {
    const read = parse(line, first + index, limits)
    if (Result.isSuccess(read)) return read.success
    wrong.set(index, read.failure)
    return null
  })
  const envelope = { value: { [codec.list]: items }, text: undefined, bytes: undefined }
  const options = { limits: { ...limits, operations: items.length }, strategy }
  const { operations } = Result.getOrThrow(codec.decode(envelope, options))
  for (const [index, why] of wrong) operations[index]!.result = OperationResult.refused(why)
  return operations
}

/** The envelope and its list, which an operation of a job does not come in. */
const around = 2

const parse = (line: string, index: number, { depth, operationBytes }: Limits): Result.Result<unknown, Failure> => {
  const dropped = /^!413 (\d+)$/.exec(line)
  if (dropped !== null) {
    const detail = `The operation has ${dropped[1]} bytes, at most ${operationBytes} are allowed`
    return Result.fail(failure("PAYLOAD_TOO_LARGE", detail))
  }
  try {
    const item = JSON.parse(line) as unknown
    return Json.inspect(item, depth - around) === "deep"
      ? Result.fail(failure("VALIDATION_ERROR", `The operation is nested more than ${depth - around} levels deep`))
      : Result.succeed(item)
  } catch (error) {
    const why = line.startsWith("!400 ") ? line.slice("!400 ".length) : (error as SyntaxError).message
    return Result.fail(failure("VALIDATION_ERROR", `Line ${index + 1} is not JSON: ${why}`))
  }
}
