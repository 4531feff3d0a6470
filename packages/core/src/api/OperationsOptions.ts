/** Options of operations endpoints. */
import type { OrderBy } from "../formats/OperationsCodec.ts"
import type { OptionGroup } from "../options/Option.ts"
import { anyFunction, text } from "../options/OptionTypes.ts"
import type { AnswerOptions } from "./AnswerOptions.ts"
import type { BatchOptions } from "./BatchOptions.ts"

/** Options of one operations endpoint. They override those that all endpoints share. */
export interface OperationsOptions<Request = unknown> extends BatchOptions<Request>, AnswerOptions {
  /** Name of the endpoint in policies, metrics and jobs. Default: the name of the resource. */
  readonly name?: string | undefined
  /** Returns the order key of an operation; operations with the same key run in request order. Default: their `id`. */
  readonly orderBy?: OrderBy | undefined
}

/** Definitions of the options that only operations endpoints have. */
export const operationsOptions = {
  name: { type: text(), defaultText: "the name of the resource", page: "endpoints.md" },
  orderBy: { type: anyFunction(), defaultText: "their `id`", page: "strategies.md" },
} satisfies OptionGroup<Omit<OperationsOptions, keyof BatchOptions | keyof AnswerOptions>>
