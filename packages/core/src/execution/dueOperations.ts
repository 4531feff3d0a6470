/** Which operations may be handed to a handler now. */
import { type Failure, failure } from "../batch/Failure.ts"
import { isFulfilled, type Operation } from "../batch/Operation.ts"
import { isFinal, OperationResult } from "../batch/OperationResult.ts"

/** The operations that have no result yet. One whose dependencies did not succeed gets the result that says so. */
export const dueOperations = <Input>(operations: ReadonlyArray<Operation<Input>>): ReadonlyArray<Operation<Input>> => {
  let settled = 0
  for (const operation of operations) {
    const { dependsOn, duplicateOf } = operation
    if (operation.result === undefined && duplicateOf?.result !== undefined) {
      operation.result = repeated(duplicateOf.result)
    }
    if (operation.result === undefined && dependsOn.length > 0 && !dependsOn.every(isFulfilled)) {
      operation.result = OperationResult.skipped(failedDependency(operation))
    }
    if (operation.result !== undefined) settled++
  }
  return settled === 0 ? operations : operations.filter(({ result }) => result === undefined)
}

// As if it had been run after the first: what is final is replayed, and what is not would have come out the same.
const repeated = (result: OperationResult): OperationResult =>
  isFinal(result) ? OperationResult.replay(result) : result

const failedDependency = ({ dependsOn }: Operation): Failure => {
  const unmet = dependsOn.filter((dependency) => !isFulfilled(dependency))
  const names = unmet.map(({ operation }) => JSON.stringify(operation.id))
  return failure("FAILED_DEPENDENCY", `Not run: ${names.join(", ")} did not succeed`)
}
