/** Runs operations through the actions of a resource. */
import type { StandardSchemaV1 } from "@standard-schema/spec"
import * as Effect from "effect/Effect"
import { type Failure, failure, isFailure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { BatchContext } from "../batch/BatchContext.ts"
import type { HandlerOutput, CallContext, Dispatcher, OnDefect } from "../batch/Dispatcher.ts"
import { type ActionContext, isIdentified, type ManyContext, type Resource, type Tx } from "./Resource.ts"

/**
 * The dispatcher of one batch to a resource. `prepare` refuses unknown actions, missing ids and invalid inputs, each
 * for its operation alone.
 */
export const make = ({ actions }: Resource, batch: BatchContext): Dispatcher<unknown> => ({
  prepare: async (operations, onDefect) => {
    for (const operation of operations) {
      const action = actions.get(operation.action)
      if (operation.result !== undefined) continue
      if (action === undefined) operation.result = unknownAction(operation, [...actions.keys()])
      else if (isIdentified(operation.action, action) && operation.id === undefined) operation.result = missingId()
      else if (action.input !== undefined) {
        const validated = validate(action.input, operation, onDefect)
        if (validated !== undefined) await validated
      }
    }
  },
  coalesces: ({ action }) => actions.get(action)?.runMany !== undefined,
  run: (operation, call) => {
    const action = actions.get(operation.action)!
    const { input, index, id = "" } = operation
    if (action.run !== undefined) return map(action.run(input, new Context(batch, call, id, index)), toResult)
    const context: ManyContext = new Context(batch, call, "", index)
    return map(action.runMany!([{ input, id, index }], context), onlyResult)
  },
  runMany: (operations, call) => {
    const items = operations.map(({ input, index, id = "" }) => ({ input, id, index }))
    const context: ManyContext = new Context(batch, call, "", 0)
    return map(actionOf(actions, operations)(items, context), toResults)
  },
})

const actionOf = (actions: Resource["actions"], [first]: ReadonlyArray<Operation>) =>
  actions.get(first!.action)!.runMany!

// A class, so that `signal` stays a getter: reading it is what makes an AbortSignal.
class Context implements ActionContext {
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

const map = <B>(answer: unknown, f: (value: unknown) => B): HandlerOutput<B> => {
  if (Effect.isEffect(answer)) {
    // A failure in the error channel is thrown to whoever runs the effect, like one that a promise rejects with.
    return Effect.map(Effect.orDie(answer as Effect.Effect<unknown, unknown>), f)
  }
  return isPromiseLike(answer) ? answer.then(f) : f(answer)
}

const isPromiseLike = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

const toResult = (value: unknown): OperationResult =>
  isFailure(value) ? OperationResult.error(value) : OperationResult.success(value)

// An answer of the wrong length is passed on as it is: the coalescer knows it for a defect that must not be tried again.
const toResults = (answer: unknown): ReadonlyArray<OperationResult> =>
  Array.isArray(answer) ? answer.map(toResult) : []

const onlyResult = (answer: unknown): OperationResult => {
  const [result, ...rest] = toResults(answer)
  if (result === undefined || rest.length > 0)
    throw new TypeError("runMany must answer an array with one result per item")
  return result
}

const unknownAction = ({ action }: Operation, known: ReadonlyArray<string>): OperationResult =>
  OperationResult.refused(
    failure("UNKNOWN_ACTION", `There is no action ${JSON.stringify(action)}; there are: ${known.join(", ")}`, {
      field: "action",
    }),
  )

const missingId = (): OperationResult =>
  OperationResult.refused(failure("VALIDATION_ERROR", `"id" must say which one is meant`, { field: "id" }))

const validate = (schema: StandardSchemaV1, operation: Operation, onDefect: OnDefect): Promise<void> | undefined => {
  const apply = (outcome: StandardSchemaV1.Result<unknown>) => {
    // It came too late: the operation has been skipped meanwhile.
    if (operation.result !== undefined) return
    if (outcome.issues === undefined) operation.input = outcome.value
    else operation.result = OperationResult.refused(validationFailure(outcome.issues))
  }
  const died = (defect: unknown) => {
    operation.result = onDefect(defect, operation)
  }
  try {
    const outcome = schema["~standard"].validate(operation.input)
    if (outcome instanceof Promise) return outcome.then(apply).catch(died)
    apply(outcome)
  } catch (defect) {
    died(defect)
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
