/** Runs operations through the actions of a resource. */
import type { StandardSchemaV1 } from "@standard-schema/spec"
import type { BatchContext } from "../batch/BatchContext.ts"
import type { CallContext, Dispatcher, OnDefect } from "../batch/Dispatcher.ts"
import { type Failure, failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import { type ActionContext, isIdentified, type ManyContext } from "./Action.ts"
import { isPromiseLike, mapOutput, type OutputOptions, toResult } from "./ActionOutput.ts"
import type { ActionTypes } from "./ActionTypes.ts"
import type { BatchRequest, Tenant, Tx } from "./Register.ts"
import type { Resource, ResourceAction } from "./Resource.ts"

/** Options of the dispatcher. */
export interface ActionDispatcherOptions {
  /** How BigInts in the values of actions are written. Default: a value with a BigInt cannot be sent. */
  readonly bigint?: "number" | "string" | undefined
}

/**
 * Creates the dispatcher of one batch to a resource. Its `prepare` validates inputs. It refuses operations with unknown
 * actions, missing ids and invalid inputs, each on its own.
 */
export const make = <Services = never>(
  { actions }: Resource<ActionTypes, Services>,
  batch: BatchContext,
  { bigint }: ActionDispatcherOptions = {},
): Dispatcher<unknown, Services> => {
  let reportDefect: OnDefect = (defect) => {
    throw defect
  }
  const outputOf = ({ output }: ResourceAction, operation: Operation): OutputOptions => ({
    output,
    bigint,
    report: (error) => void reportDefect(error, operation),
  })
  // Throwing would make the engine call `runMany` again, and the operations have run.
  const toResults = (values: unknown, action: ResourceAction, operations: ReadonlyArray<Operation>) => {
    // An array of the wrong length is passed on: the coalescer reports it as a defect and does not call the handler again.
    if (!Array.isArray(values) || values.length !== operations.length) return []
    const results = operations.map((operation, index) => {
      const fail = (defect: unknown) => reportDefect(defect, operation)
      try {
        const result = toResult(values[index], outputOf(action, operation))
        return isPromiseLike(result) ? result.then((settled) => settled, fail) : result
      } catch (defect) {
        return fail(defect)
      }
    })
    return areSettled(results) ? results : Promise.all(results)
  }
  return {
    prepare: async (operations, onDefect) => {
      reportDefect = onDefect
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
      const options = outputOf(action, operation)
      if (action.run !== undefined) {
        const context = new BoundContext(batch, call, id, index)
        return mapOutput(action.run(input, context), (value) => toResult(value, options))
      }
      const context: ManyContext = new BoundContext(batch, call, "", index)
      return mapOutput(action.runMany!([{ input, id, index }], context), (values) => toResult(onlyOf(values), options))
    },
    runMany: (operations, call) => {
      const items = operations.map(({ input, index, id = "" }) => ({ input, id, index }))
      const context: ManyContext = new BoundContext(batch, call, "", 0)
      const action = actions.get(operations[0]!.action)!
      return mapOutput(action.runMany!(items, context), (values) => toResults(values, action, operations))
    },
  }
}

// A class, so that `signal` stays a getter: the AbortSignal is created when it is first read.
class BoundContext implements ActionContext {
  readonly id: string
  readonly index: number
  readonly tenant: Tenant
  readonly request: BatchRequest
  private readonly call: CallContext

  constructor({ tenant, request }: BatchContext, call: CallContext, id: string, index: number) {
    this.id = id
    this.index = index
    this.tenant = tenant as Tenant
    this.request = request as BatchRequest
    this.call = call
  }

  get tx(): Tx {
    return this.call.tx as Tx
  }

  get signal(): AbortSignal {
    return this.call.signal
  }
}

const areSettled = (
  results: ReadonlyArray<OperationResult | PromiseLike<OperationResult>>,
): results is ReadonlyArray<OperationResult> => !results.some(isPromiseLike)

const onlyOf = (values: unknown): unknown => {
  if (Array.isArray(values) && values.length === 1) return values[0]
  throw new TypeError("runMany must return an array with one result per item")
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
