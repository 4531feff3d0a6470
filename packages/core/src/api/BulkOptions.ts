/** Options of bulk endpoints. */
import type { OptionGroup } from "../options/Option.ts"
import { anyFunction, text, wholeNumber } from "../options/OptionTypes.ts"
import type { ActionTypes } from "../resources/ActionTypes.ts"
import type { AnswerOptions } from "./AnswerOptions.ts"
import type { BatchOptions } from "./BatchOptions.ts"

/** The types of the items of a bulk endpoint. */
export interface BulkItem {
  /** An item as clients send it. */
  readonly item: unknown
  /** The item without its `id`, if operations of the action have one. */
  readonly data: unknown
}

/** The types of the items of the endpoint of an action, before validation. */
export interface BulkItemOf<Actions extends ActionTypes, Name extends keyof Actions & string> extends BulkItem {
  // An item of an action that is not `create` has an id. It may also be a bare id, unless the schema wants an object.
  readonly item: Name extends "create"
    ? Actions[Name]["sent"]
    : Actions[Name]["sent"] extends object
      ? Actions[Name]["sent"] & { readonly id?: string | number }
      : unknown
  readonly data: Actions[Name]["sent"]
}

/** Options of one bulk endpoint. They override those that all endpoints share. */
export interface BulkOptions<Request = unknown, Item extends BulkItem = BulkItem>
  extends BatchOptions<Request>, AnswerOptions {
  /** Name of the endpoint in policies, metrics and jobs. Default: resource and action, such as `users.create`. */
  readonly name?: string | undefined
  /** Member that holds the items, in requests and answers. Default: the name of the resource. */
  readonly list?: string | undefined
  /** Member of the answer that counts successful items. Default: `created`, `updated` or `deleted`; other actions have none. */
  readonly count?: string | undefined
  /**
   * Returns the idempotency key of an item, or undefined. The item has not been validated yet; if the function throws, the
   * item is refused with `VALIDATION_ERROR`. Default: items have no keys.
   */
  readonly idempotencyKey?: ((item: Item["item"]) => unknown) | undefined
  /** HTTP status if every item succeeded. Default: 201 for `create`, otherwise 200. */
  readonly successStatus?: number | undefined
  /**
   * Returns the order key of an item; items with the same key run in request order. The item has not been validated yet; if
   * the function throws, the item is refused with `VALIDATION_ERROR`. Default: their `id`.
   */
  readonly orderBy?:
    | ((item: { readonly id: string | undefined; readonly data: Item["data"] }) => string | undefined)
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
