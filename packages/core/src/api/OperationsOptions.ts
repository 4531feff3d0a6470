/** Options of operations endpoints. */
import type { OptionGroup } from "../options/Option.ts"
import { anyFunction, text } from "../options/OptionTypes.ts"
import type { ActionTypes } from "../resources/ActionTypes.ts"
import type { AnswerOptions } from "./AnswerOptions.ts"
import type { BatchOptions } from "./BatchOptions.ts"

/** An operation as clients send it. */
export interface SentOperation {
  readonly action: string
  readonly id: string | undefined
  readonly data: unknown
}

/** The operations of a resource as clients send them, before validation. `action` tells the type of `data`. */
export type SentOperationOf<Actions extends ActionTypes> = {
  readonly [Name in keyof Actions & string]: {
    readonly action: Name
    readonly id: string | undefined
    readonly data: Actions[Name]["sent"]
  }
}[keyof Actions & string]

/** Options of one operations endpoint. They override those that all endpoints share. */
export interface OperationsOptions<Request = unknown, Operation extends SentOperation = SentOperation>
  extends BatchOptions<Request>, AnswerOptions {
  /** Name of the endpoint in policies, metrics and jobs. Default: the name of the resource. */
  readonly name?: string | undefined
  /**
   * Returns the order key of an operation; operations with the same key run in request order. The operation has not been
   * validated yet; if the function throws, the operation is refused with `VALIDATION_ERROR`. Default: their `id`.
   */
  readonly orderBy?: ((operation: Operation) => string | undefined) | undefined
}

/** Definitions of the options that only operations endpoints have. */
export const operationsOptions = {
  name: { type: text(), defaultText: "the name of the resource", page: "endpoints.md" },
  orderBy: { type: anyFunction(), defaultText: "their `id`", page: "strategies.md" },
} satisfies OptionGroup<Omit<OperationsOptions, keyof BatchOptions | keyof AnswerOptions>>
