/** Runs operations through the actions of a resource. */
import type { StandardSchemaV1 } from "@standard-schema/spec"
import * as Effect from "effect/Effect"
import { type Failure, failure, isFailure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { BatchContext } from "../batch/BatchContext.ts"
import type { CallContext, Dispatcher, HandlerOutput, OnDefect } from "../batch/Dispatcher.ts"
import { type ActionContext, isIdentified, type ManyContext, type Resource, type Tx } from "./Resource.ts"

/**
 * Creates the dispatcher of one batch to a resource. Its `prepare` validates inputs. It refuses operations with unknown
 * actions, missing ids and invalid inputs, each on its own.
 */
export const make = ({ actions }: Resource, batch: BatchContext): Dispatcher<unknown> => ({
  prepare: async (operations, onDefect) => {
    for (const operation of operations) {
      const action = actions.get(operation.action)
      if (operation.result !== undefined) continue
      if (action === undefined) operation.result = unknownAction(operation, [...actions.keys()])
      else if (isIdentified(operation.action, action) && operation.id === undefined) operation.result = missingId()
      else if (action.input !== undefined) {
        const validation = validate(action.input, operation, onDefect)
        if (validation !== undefined) await validation
      }
    }
  },
  coalesces: ({ action }) => actions.get(action)?.runMany !== undefined,
  run: (operation, call) => {
    const action = actions.get(operation.action)!
    const { input, index, id = "" } = operation
    if (action.run !== undefined)
      return mapOutput(action.run(input, new BoundContext(batch, call, id, index)), toResult)
    const context: ManyContext = new BoundContext(batch, call, "", index)
    return mapOutput(action.runMany!([{ input, id, index }], context), toOnlyResult)
  },
  runMany: (operations, call) => {
    const items = operations.map(({ input, index, id = "" }) => ({ input, id, index }))
    const context: ManyContext = new BoundContext(batch, call, "", 0)
    const action = actions.get(operations[0]!.action)!
    return mapOutput(action.runMany!(items, context), toResults)
  },
})

// A class, so that `signal` stays a getter: the AbortSignal is created when it is first read.
class BoundContext implements ActionContext {
  readonly id: string
  readonly index: number
  readonly tenant: string | undefined
  readonly request: unknown
  private readonly call: CallContext

  constructor({ tenant, request }: BatchContext, call: CallContext, id: string, index: number) {
    this.id = id
    this.index = index
    this.tenant = tenant
    this.request = request
    this.call = call
  }

  get tx(): Tx {
    return this.call.tx as Tx
  }

  get signal(): AbortSignal {
    return this.call.signal
  }
}

const mapOutput = <B>(output: unknown, map: (value: unknown) => B): HandlerOutput<B> => {
  if (Effect.isEffect(output)) {
    // Turns a failure of the effect into a defect, which the engine handles like a rejected promise.
    return Effect.map(Effect.orDie(output as Effect.Effect<unknown, unknown>), map)
  }
  return isPromiseLike(output) ? output.then(map) : map(output)
}

const isPromiseLike = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

const toResult = (value: unknown): OperationResult =>
  isFailure(value) ? OperationResult.error(value) : OperationResult.success(value)

// An array of the wrong length is passed on: the coalescer reports it as a defect and does not call the handler again.
const toResults = (values: unknown): ReadonlyArray<OperationResult> =>
  Array.isArray(values) ? values.map(toResult) : []

const toOnlyResult = (values: unknown): OperationResult => {
  const [result, ...others] = toResults(values)
  if (result === undefined || others.length > 0)
    throw new TypeError("runMany must return an array with one result per item")
  return result
}

const unknownAction = ({ action }: Operation, known: ReadonlyArray<string>): OperationResult =>
  OperationResult.refused(
    failure("UNKNOWN_ACTION", `There is no action ${JSON.stringify(action)}; there are: ${known.join(", ")}`, {
      field: "action",
    }),
  )

const missingId = (): OperationResult =>
  OperationResult.refused(failure("VALIDATION_ERROR", `"id" is required for this action`, { field: "id" }))

const validate = (schema: StandardSchemaV1, operation: Operation, onDefect: OnDefect): Promise<void> | undefined => {
  const apply = (validated: StandardSchemaV1.Result<unknown>) => {
    // The deadline may have passed during validation; the operation is skipped then.
    if (operation.result !== undefined) return
    if (validated.issues === undefined) operation.input = validated.value
    else operation.result = OperationResult.refused(validationFailure(validated.issues))
  }
  const fail = (defect: unknown) => {
    operation.result = onDefect(defect, operation)
  }
  try {
    const validated = schema["~standard"].validate(operation.input)
    if (validated instanceof Promise) return validated.then(apply).catch(fail)
    apply(validated)
  } catch (defect) {
    fail(defect)
  }
  return undefined
}

const validationFailure = (issues: ReadonlyArray<StandardSchemaV1.Issue>): Failure => {
  const errors = issues.map(({ message, path }) => {
    const field = path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".")
    return field === undefined || field === "" ? { message } : { field, message }
  })
  const [first] = errors
  return failure("VALIDATION_ERROR", first?.message ?? "The input is not valid", {
    field: first?.field,
    ...(errors.length > 1 && { errors }),
  })
}
