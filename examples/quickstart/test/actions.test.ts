/**
 * Tests of the program for actions in the documentation.
 */
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ask } from "./ask.ts"
import { type Server, start } from "./Server.ts"

describe("the example of actions", () => {
  let server: Server
  beforeAll(async () => {
    server = await start(join(import.meta.dirname, "../actions.ts"))
  })
  afterAll(() => server.close())

  const send = async (operations: ReadonlyArray<unknown>, key = "a") =>
    (await ask(`${server.origin}/orders/batch`, { operations }, { "x-api-key": key })).body as {
      readonly results: ReadonlyArray<{ readonly id?: string; readonly data?: unknown; readonly error?: unknown }>
    }

  it("an action gets the output of its input schema", async () => {
    const { results } = await send([{ action: "create", data: { product: "pen" } }])
    expect(results).toMatchObject([{ status: "success", data: { product: "pen", quantity: 1 } }])
  })

  it("invalid input, a mapped exception and an unexpected exception have different codes", async () => {
    const { results } = await send([
      { action: "create", data: { product: 5, quantity: 0 } },
      { action: "create", data: { product: "pen", quantity: 50 } },
      { action: "create", data: { product: "ink" } },
    ])
    expect(results).toMatchObject([
      { error: { code: "VALIDATION_ERROR", field: "product", errors: [{ field: "product" }, { field: "quantity" }] } },
      { error: { code: "OUT_OF_STOCK", field: "quantity", retryable: true, retry_after: 3600 } },
      { error: { code: "INTERNAL" } },
    ])
    expect(JSON.stringify(results[2])).not.toContain("table")
  })

  it("runMany cancels many orders, each with its own result", async () => {
    const created = await send(Array.from({ length: 2 }, () => ({ action: "create", data: { product: "pen" } })))
    const ids = created.results.map(({ id }) => id)
    const cancel = (id: string | undefined) => ({ action: "cancel", id })
    expect((await send([cancel(ids[0])], "b")).results).toMatchObject([{ error: { code: "NOT_FOUND" } }])
    expect((await send([cancel(ids[0]), cancel("none"), cancel(ids[1])])).results).toMatchObject([
      { status: "success", id: ids[0] },
      { status: "error", id: "none", error: { code: "NOT_FOUND" } },
      { status: "success", id: ids[1] },
    ])
  })
})
