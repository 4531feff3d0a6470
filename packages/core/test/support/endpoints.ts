import { afterEach } from "vitest"
import type { Action } from "../../src/resources/Action.ts"
import { resource } from "../../src/resources/Resource.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import type { Endpoint } from "../../src/api/BatchEndpoints.ts"
import { createBatch } from "../../src/api/createBatch.ts"
import type { HttpRequest } from "../../src/http/HttpMessage.ts"
import { jsonRequest } from "./request.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []

/** Endpoints that are closed after the test. */
export const make = <Request = unknown>(...args: Parameters<typeof createBatch<Request>>) => {
  const batch = createBatch<Request>(...args)
  open.push(batch)
  return batch
}

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ close }) => close()))
})

/** Sends a batch, and parses the answer. */
export const send = async (endpoint: Endpoint, value: unknown, given: Partial<HttpRequest> = {}) => {
  const { body, ...rest } = await endpoint.handle(jsonRequest(value, given))
  return { ...rest, json: JSON.parse(body), body }
}

/** The users of the article. */
export const users = resource("users", {
  create: { run: (user: unknown, { index }) => ({ id: `u_00${index + 1}`, ...(user as object) }) },
  update: { run: (_: unknown, { id }) => ({ id }) },
  delete: { run: (_: unknown, { id }) => (id === "u_099" ? failure("NOT_FOUND", `User ${id} not found`) : undefined) },
})

/** An endpoint for operations with one action. */
export const alone = (run: Action<unknown>["run"], options: BatchOptions = {}) =>
  make(options).operations(resource("things", { do: { identified: false, run } }))

/** Operations with that action. */
export const things = (...data: ReadonlyArray<unknown>) => ({
  operations: data.map((each) => ({ action: "do", data: each })),
})
