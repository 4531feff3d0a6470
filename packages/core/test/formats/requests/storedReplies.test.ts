import { describe, expect, it } from "vitest"
import { memoryIdempotencyStore } from "../../../src/idempotency/memoryIdempotencyStore.ts"
import type { Send } from "../../../src/formats/requests/SubRequestDispatcher.ts"
import { make, send } from "../../support/endpoints.ts"

describe("a replay whose body was too large to be stored", () => {
  const setUp = () => {
    const text = JSON.stringify({ id: 7, padding: "x".repeat(2000) })
    const host: Send = async ({ url }) => {
      const reply = url === "/orders" ? text : "{}"
      return {
        status: url === "/orders" ? 201 : 200,
        headers: { "content-type": "application/json" },
        body: new TextEncoder().encode(reply),
        text: reply,
      }
    }
    const store = memoryIdempotencyStore()
    const endpoint = make({ tenant: () => "t" }).requests(host, { idempotency: { store, maxResultBytes: 1000 } })
    const order = { id: "order", method: "POST", url: "/orders", headers: { "idempotency-key": "k" }, body: {} }
    return { ask: (...more: ReadonlyArray<object>) => send(endpoint, { requests: [order, ...more] }) }
  }

  it("says so under a code of its own, with the status of the first response", async () => {
    const { ask } = setUp()
    await ask()
    const { json } = await ask()
    expect(json.responses).toEqual([
      expect.objectContaining({
        id: "order",
        status: 201,
        replayed: true,
        body: expect.objectContaining({
          code: "RESULT_NOT_KEPT",
          detail: expect.stringContaining("the body of the earlier response was too large to be stored"),
        }),
      }),
    ])
  })

  it("fails the requests that refer to its body, and they say why", async () => {
    const { ask } = setUp()
    await ask()
    const { json } = await ask({ id: "item", method: "GET", url: "/items/@{order.body.id}" })
    expect(json.responses[1]).toMatchObject({
      status: 424,
      body: {
        code: "UNRESOLVED_REFERENCE",
        detail: expect.stringContaining("the body of the earlier response was too large to be stored"),
      },
    })
  })
})
