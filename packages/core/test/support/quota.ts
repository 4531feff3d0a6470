import * as fc from "fast-check"
import { resource } from "../../src/resources/Resource.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import type { HttpRequest } from "../../src/http/HttpMessage.ts"
import type { QuotaStore } from "../../src/quota/QuotaStore.ts"
import { make, send } from "./endpoints.ts"

/** Things that can be done, fail, or take until they are told to stop. */
export const doings = resource("things", {
  do: { identified: false, run: (data: unknown) => ({ done: data }) },
  fail: { identified: false, run: () => failure("CONFLICT", "No") },
  wait: {
    identified: false,
    run: (_: unknown, { signal }) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined))),
  },
  many: { identified: false, runMany: (items) => items.map(() => ({})) },
})

/** So many operations of one action. */
export const batchOf = (count: number, action = "do") => ({
  operations: Array.from({ length: count }, (_, index) => ({ action, data: index })),
})

/** An endpoint under a quota that does not come back within a test, unless it is said otherwise. */
export const under = (quota: BatchOptions<string>["quota"], options: BatchOptions<string> = {}) => {
  const endpoint = make<string>({ tenant: (native) => native, quota, ...options }).operations(doings, {
    clientStrategies: options.unitOfWork === undefined ? ["stop-after"] : ["stop-after", "atomic"],
  })
  return {
    endpoint,
    send: (value: unknown, given: Partial<HttpRequest> = {}) => send(endpoint, value, { raw: "a", ...given }),
  }
}

/** What is left of the first policy, as the answer tells. */
export const left = ({ headers }: { readonly headers: Readonly<Record<string, string>> }): number =>
  Number(/;r=(\d+)/.exec(headers["ratelimit"] ?? "")?.[1])

/** A store that never answers, or always fails. */
export const broken = (how: "hangs" | "fails"): QuotaStore => {
  const answer = async (): Promise<never> => {
    if (how === "hangs") await new Promise(() => undefined)
    throw new Error("The connection is closed")
  }
  return { charge: answer, refund: answer, peek: answer }
}

/** Costs that are none. */
export const noCosts = fc.constantFrom<unknown>(
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  2 ** 53,
  "5",
  undefined,
  null,
  -0.001,
)
