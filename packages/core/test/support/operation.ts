import type { Operation } from "../../src/batch/Operation.ts"

/** Creates an operation with the given members and defaults for the others. */
export const operation = <Input = undefined>(
  given: Partial<Operation<Input>> & { readonly input?: Input } = {},
): Operation<Input> => ({
  index: 0,
  id: undefined,
  action: "create",
  input: undefined as Input,
  orderKey: undefined,
  dependsOn: [],
  result: undefined,
  ...given,
})
