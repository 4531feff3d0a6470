/** Options of bulk endpoints. */
import type { OptionGroup } from "../options/Option.ts"
import { anyFunction, text, wholeNumber } from "../options/OptionTypes.ts"
import type { AnswerOptions } from "./AnswerOptions.ts"
import type { BatchOptions } from "./BatchOptions.ts"

/** Options of one bulk endpoint. They override those that all endpoints share. */
export interface BulkOptions<Request = unknown> extends BatchOptions<Request>, AnswerOptions {
  /** Name of the endpoint in policies, metrics and jobs. Default: resource and action, such as `users.create`. */
  readonly name?: string | undefined
  /** Member that holds the items, in requests and answers. Default: the name of the resource. */
  readonly list?: string | undefined
  /** Member of the answer that counts successful items. Default: `created`, `updated` or `deleted`; other actions have none. */
  readonly count?: string | undefined
  /** Returns the idempotency key of an item, or undefined; must not throw. Default: items have no keys. */
  readonly idempotencyKey?: ((item: unknown) => unknown) | undefined
  /** HTTP status if every item succeeded. Default: 201 for `create`, otherwise 200. */
  readonly successStatus?: number | undefined
  /** Returns the order key of an item; items with the same key run in request order. Default: their `id`. */
  readonly orderBy?:
    | ((item: { readonly id: string | undefined; readonly data: unknown }) => string | undefined)
    | undefined
}

const page = "endpoints.md"

/** Definitions of the options that only bulk endpoints have. */
export const bulkOptions = {
  name: { type: text(), defaultText: "resource and action, such as `users.create`", page },
  list: { type: text(), defaultText: "the name of the resource", page },
  count: { type: text(), defaultText: "`created`, `updated` or `deleted`; other actions have none", page },
  idempotencyKey: { type: anyFunction(), defaultText: "items have no keys", page: "idempotency.md" },
  successStatus: {
    type: wholeNumber({ minimum: 200, maximum: 299 }),
    defaultText: "201 for `create`, otherwise 200",
    page,
  },
  orderBy: { type: anyFunction(), defaultText: "their `id`", page: "strategies.md" },
} satisfies OptionGroup<Omit<BulkOptions, keyof BatchOptions | keyof AnswerOptions>>
