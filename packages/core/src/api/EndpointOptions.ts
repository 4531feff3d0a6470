/** What the options of one endpoint have to be, beside those that all endpoints share. */
import * as Schema from "effect/Schema"
import type { Resource } from "../resources/Resource.ts"
import { AnyFunction, checker } from "../options/OptionSchemas.ts"

const name = Schema.String.check(Schema.isMinLength(1))

const headerNames = Schema.Array(
  Schema.String.check(Schema.isPattern(/^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/, { expected: "the name of a header" })),
)

const answer = {
  results: Schema.optional(Schema.Literals(["all", "failed", "failed+ids"])),
  data: Schema.optional(Schema.Boolean),
  status: Schema.optional(Schema.Literals(["mixed", "200", "207"])),
}

/** Checks the options of a bulk endpoint. */
export const checkBulk = checker(
  "bulk",
  Schema.Struct({
    name: Schema.optional(name),
    list: Schema.optional(name),
    count: Schema.optional(name),
    idempotencyKey: Schema.optional(AnyFunction),
    successStatus: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 200, maximum: 299 }))),
    orderBy: Schema.optional(AnyFunction),
    ...answer,
  }),
)

/** Checks the options of an operations endpoint. */
export const checkOperations = checker(
  "operations",
  Schema.Struct({ name: Schema.optional(name), orderBy: Schema.optional(AnyFunction), ...answer }),
)

/** Checks the options of a JSON batch. */
export const checkRequests = checker(
  "requests",
  Schema.Struct({
    headers: Schema.optional(
      Schema.Struct({
        inherit: Schema.optional(headerNames),
        credentials: Schema.optional(headerNames),
        ownCredentials: Schema.optional(Schema.Boolean),
      }),
    ),
    exposeHeaders: Schema.optional(headerNames),
    requireTransaction: Schema.optional(AnyFunction),
    contentType: Schema.optional(Schema.Boolean),
  }),
)

/** Checks that an endpoint is given a resource, and not the actions that one is made of. */
export const checkResource = (resource: Partial<Resource> | undefined): void => {
  if (resource?.actions instanceof Map) return
  throw new TypeError(`An endpoint needs a resource as resource("users", { … }) makes it`)
}
