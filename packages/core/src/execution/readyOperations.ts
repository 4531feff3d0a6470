/** Selects the operations whose handlers may be called now. */
import { type Failure, failure } from "../batch/Failure.ts"
import { isFulfilled, type Operation } from "../batch/Operation.ts"
import { isFinal, OperationResult } from "../batch/OperationResult.ts"

/**
 * Returns the operations that have no result yet. Duplicates of an operation first get its result, and operations whose
 * dependencies have failed are skipped.
 */
export const readyOperations = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
): ReadonlyArray<Operation<Input>> => {
  let settled = 0
  for (const operation of operations) {
    const { dependsOn, duplicateOf } = operation
    if (operation.result === undefined && duplicateOf?.result !== undefined) {
      operation.result = duplicateResult(duplicateOf.result)
    }
    if (operation.result === undefined && dependsOn.length > 0 && !dependsOn.every(isFulfilled)) {
      operation.result = OperationResult.skipped(failedDependency(operation))
    }
    if (operation.result !== undefined) settled++
  }
  return settled === 0 ? operations : operations.filter(({ result }) => result === undefined)
}

// A duplicate gets what a retry would get: the replay of a final result; any other result would only repeat itself.
const duplicateResult = (result: OperationResult): OperationResult =>
  isFinal(result) ? OperationResult.replay(result) : result

const failedDependency = ({ dependsOn }: Operation): Failure => {
  const failed = dependsOn.filter((dependency) => !isFulfilled(dependency))
  const ids = failed.map(({ operation }) => JSON.stringify(operation.id))
  return failure("FAILED_DEPENDENCY", `Not run: ${ids.join(", ")} did not succeed`)
}
