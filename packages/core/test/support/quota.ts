import * as fc from "fast-check"
import { resource } from "../../src/resources/Resource.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import type { HttpRequest } from "../../src/http/HttpMessage.ts"
import type { QuotaStore } from "../../src/quota/QuotaStore.ts"
import { make, send } from "./endpoints.ts"

/** A resource with actions that succeed (one by one or many at once), fail, or run until they are aborted. */
export const things = resource("things", {
  do: { identified: false, run: (data: unknown) => ({ done: data }) },
  fail: { identified: false, run: () => failure("CONFLICT", "No") },
  wait: {
    identified: false,
    run: (_: unknown, { signal }) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined))),
  },
  many: { identified: false, runMany: (items) => items.map(() => ({})) },
})

/** A batch of `count` operations of one action. */
export const batchOf = (count: number, action = "do") => ({
  operations: Array.from({ length: count }, (_, index) => ({ action, data: index })),
})

/** Creates an operations endpoint with a quota, and a function that sends batches to it. */
export const endpointWith = (quota: BatchOptions<string>["quota"], options: BatchOptions<string> = {}) => {
  const endpoint = make<string>({ tenant: (caller) => caller, quota, ...options }).operations(things, {
    clientStrategies: options.unitOfWork === undefined ? ["stop-after"] : ["stop-after", "atomic"],
  })
  return {
    endpoint,
    send: (value: unknown, changes: Partial<HttpRequest> = {}) => send(endpoint, value, { raw: "a", ...changes }),
  }
}

/** Returns the remaining units of the first policy, as the response says. */
export const remainingUnits = ({ headers }: { readonly headers: Readonly<Record<string, string>> }): number =>
  Number(/;r=(\d+)/.exec(headers["ratelimit"] ?? "")?.[1])

/** A store whose calls never complete, or always fail. */
export const brokenStore = (fault: "hangs" | "fails"): QuotaStore => {
  const request = async (): Promise<never> => {
    if (fault === "hangs") await new Promise(() => undefined)
    throw new Error("The connection is closed")
  }
  return { charge: request, refund: request, peek: request }
}

/** Values that are no valid cost. */
export const invalidCosts = fc.constantFrom<unknown>(
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  2 ** 53,
  "5",
  undefined,
  null,
  -0.001,
)
