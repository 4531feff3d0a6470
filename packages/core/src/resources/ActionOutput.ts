/** Turns what an action returned into the result of its operation. */
import type { StandardSchemaV1 } from "@standard-schema/spec"
import * as Effect from "effect/Effect"
import type { HandlerOutput } from "../batch/Dispatcher.ts"
import { isFailure } from "../batch/Failure.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import { OutputError } from "../batch/OutputError.ts"
import { type BigIntFormat, toJson } from "./JsonOutput.ts"

/** How the values of an action are turned into results. */
export interface OutputOptions {
  /** Turns a value that the action returned into the value that the client gets. */
  readonly output: StandardSchemaV1 | undefined
  readonly bigint: BigIntFormat | undefined
  /** Reports a value that cannot be written as JSON. */
  readonly report: (error: OutputError) => void
}

/**
 * Returns the result of an operation whose action returned a value. Throws a returned `Error`, and an `OutputError` if the
 * value does not match the output schema.
 */
export const toResult = (value: unknown, options: OutputOptions): OperationResult | PromiseLike<OperationResult> => {
  if (isFailure(value)) return OperationResult.error(value)
  if (value instanceof Error) throw value
  const { output } = options
  if (output === undefined) return toSuccess(value, options)
  const validated = output["~standard"].validate(value)
  const finish = (result: StandardSchemaV1.Result<unknown>) => toSuccess(accept(result), options)
  return isPromiseLike(validated) ? validated.then(finish) : finish(validated)
}

/** Applies a function to what a handler returned: a value, a promise or an effect. The function may return a promise. */
export const mapOutput = <B, Services>(
  output: unknown,
  map: (value: unknown) => B | PromiseLike<B>,
): HandlerOutput<B, Services> => {
  if (Effect.isEffect(output)) {
    // A failure of the effect becomes a defect, which the engine handles like a rejected promise.
    return Effect.flatMap(Effect.orDie(output as Effect.Effect<unknown, unknown, Services>), (value) => {
      const mapped = map(value)
      return isPromiseLike(mapped) ? Effect.promise(async () => mapped) : Effect.succeed(mapped)
    })
  }
  return isPromiseLike(output) ? output.then(map) : map(output)
}

/** Whether a value is a promise, or an object like one. */
export const isPromiseLike = <A>(value: A | PromiseLike<A>): value is PromiseLike<A> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

const accept = (result: StandardSchemaV1.Result<unknown>): unknown => {
  if (result.issues === undefined) return result.value
  const [first] = result.issues
  const path = ["data", ...(first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))]
  throw new OutputError(path.join("."), `does not match the output schema: ${first?.message ?? "it is not valid"}`)
}

// The operation has run, so it succeeded, whether or not its value can be written.
const toSuccess = (value: unknown, { bigint, report }: OutputOptions): OperationResult => {
  try {
    return OperationResult.success(toJson(value, bigint))
  } catch (error) {
    if (!(error instanceof OutputError)) throw error
    report(error)
    return OperationResult.success(idAlone(value))
  }
}

const idAlone = (value: unknown): unknown => {
  const descriptor =
    typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, "id") : undefined
  const id: unknown = descriptor?.value
  return typeof id === "string" || typeof id === "number" ? { id } : undefined
}
