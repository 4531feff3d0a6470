/** The three kinds of endpoints: what each makes of its options. */
import type { BatchContext } from "../batch/BatchContext.ts"
import type { Codec } from "../batch/Codec.ts"
import type { Dispatcher } from "../batch/Dispatcher.ts"
import * as BulkCodec from "../formats/BulkCodec.ts"
import * as OperationsCodec from "../formats/OperationsCodec.ts"
import * as JsonBatchCodec from "../formats/requests/JsonBatchCodec.ts"
import type { SubRequest } from "../formats/requests/SubRequest.ts"
import * as SubRequestDispatcher from "../formats/requests/SubRequestDispatcher.ts"
import * as HeaderRules from "../http/HeaderRules.ts"
import type { AnyOptionGroup } from "../options/Option.ts"
import * as ActionDispatcher from "../resources/ActionDispatcher.ts"
import { isIdentified } from "../resources/Action.ts"
import type { Resource } from "../resources/Resource.ts"
import { answerOptions, answerSettings } from "./AnswerOptions.ts"
import { batchOptions } from "./BatchOptions.ts"
import type { BatchSettings } from "./BatchSettings.ts"
import { type BulkOptions, bulkOptions } from "./BulkOptions.ts"
import { type OperationsOptions, operationsOptions } from "./OperationsOptions.ts"
import { type RequestsOptions, requestsOptions } from "./RequestsOptions.ts"

/** What the endpoints of one kind have of their own. */
export interface EndpointKind<Input> {
  readonly name: string
  readonly codec: (settings: BatchSettings) => Codec<Input>
  readonly dispatcher: (settings: BatchSettings) => (batch: BatchContext) => Dispatcher<Input>
}

/** Definitions of all options of a bulk endpoint. */
export const bulkEndpointOptions: AnyOptionGroup = { ...batchOptions, ...bulkOptions, ...answerOptions }

/** Definitions of all options of an operations endpoint. */
export const operationsEndpointOptions: AnyOptionGroup = { ...batchOptions, ...operationsOptions, ...answerOptions }

/** Definitions of all options of a JSON batch. */
export const requestsEndpointOptions: AnyOptionGroup = { ...batchOptions, ...requestsOptions }

const defaultCounts = new Map([
  ["create", "created"],
  ["update", "updated"],
  ["delete", "deleted"],
])

/** One action, many items. Throws a `TypeError` if the resource does not have the action. */
export const bulk = <Request>(
  resource: Resource,
  action: string,
  options: BulkOptions<Request, never>,
): EndpointKind<unknown> => {
  checkResource(resource)
  const definition = resource.actions.get(action)
  if (definition === undefined) {
    const known = [...resource.actions.keys()].join(", ")
    throw new TypeError(`The resource "${resource.name}" has no action "${action}". It has: ${known}`)
  }
  const { name = `${resource.name}.${action}`, list = resource.name } = options
  // These functions get what clients send, whatever the type of their parameter.
  const { idempotencyKey, orderBy } = options as BulkOptions<Request>
  return {
    name,
    codec: ({ idempotency, unknownMembers }) =>
      BulkCodec.make({
        action,
        list,
        count: options.count ?? defaultCounts.get(action),
        successStatus: options.successStatus ?? (action === "create" ? 201 : 200),
        identified: isIdentified(action, definition),
        idempotencyKey: idempotency && idempotencyKey,
        orderBy,
        unknownMembers,
        ...answerSettings(options),
      }),
    dispatcher: () => (batch) => ActionDispatcher.make(resource, batch, options),
  }
}

/** Mixed actions on one resource. */
export const operations = <Request>(
  resource: Resource,
  options: OperationsOptions<Request, never>,
): EndpointKind<unknown> => {
  checkResource(resource)
  const { name = resource.name } = options
  // This function gets what clients send, whatever the type of its parameter.
  const { orderBy } = options as OperationsOptions<Request>
  return {
    name,
    codec: ({ idempotency, unknownMembers }) =>
      OperationsCodec.make({
        orderBy,
        keyed: idempotency !== undefined,
        unknownMembers,
        ...answerSettings(options),
      }),
    dispatcher: () => (batch) => ActionDispatcher.make(resource, batch, options),
  }
}

/** Sub-requests to the host application. */
export const requests = <Request>(
  send: SubRequestDispatcher.Send,
  { headers, exposeHeaders, contentType, requireTransaction, orderBy }: RequestsOptions<Request>,
): EndpointKind<SubRequest> => {
  if (typeof send !== "function") throw new TypeError("A JSON batch needs a function that sends its sub-requests")
  const rules = HeaderRules.make(headers)
  return {
    name: "requests",
    codec: ({ idempotency, unknownMembers }) =>
      JsonBatchCodec.make({
        headers: rules,
        keyed: idempotency !== undefined,
        unknownMembers,
        orderBy,
        exposeHeaders,
        contentType,
      }),
    dispatcher:
      ({ limits }) =>
      (batch) =>
        SubRequestDispatcher.make({ send, rules, requireTransaction, limits, exposeHeaders, contentType }, batch),
  }
}

const checkResource = (resource: Partial<Resource> | undefined): void => {
  if (resource?.actions instanceof Map) return
  throw new TypeError(`An endpoint needs a resource. Make one with resource("users", { … })`)
}
