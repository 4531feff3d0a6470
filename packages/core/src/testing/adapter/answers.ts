/** The answers of operations and bulk endpoints: what is listed, what is preferred, which status. */
import { beforeEach, describe, expect, it } from "vitest"
import { type Client, jsonOf } from "./Client.ts"

const missing = (id: string) => ({ code: "NOT_FOUND", message: `There is no item "${id}"` })

export const answers = (client: () => Client): void => {
  const put = (id: string) =>
    client().send({
      method: "PUT",
      url: `/items/${id}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: id.toUpperCase() }),
    })
  const post = async (url: string, body: unknown, headers?: Readonly<Record<string, string>>) => {
    const received = await client().post(url, body, headers)
    return { status: received.status, body: jsonOf(received), applied: received.headers["preference-applied"] }
  }
  const good = {
    operations: [
      { action: "update", id: "a", data: { note: "first" } },
      { action: "update", id: "b", data: { note: "second" } },
    ],
  }
  const mixed = { operations: [good.operations[0], { action: "delete", id: "none" }, good.operations[1]] }
  const failed = { operations: [{ action: "delete", id: "none" }] }
  const itemOf = (id: string, ...notes: ReadonlyArray<string>) => ({ id, name: id.toUpperCase(), notes })
  const error = { index: 1, status: "error", id: "none", error: missing("none") }

  beforeEach(async () => {
    await put("a")
    await put("b")
    await client().send({ method: "DELETE", url: "/items/new" })
  })

  describe("an operations endpoint", () => {
    it("answers 200 when all is good, 207 when some or all failed", async () => {
      expect(await post("/items/batch", good)).toMatchObject({
        status: 200,
        body: { status: "success", succeeded: 2, failed: 0 },
      })
      expect(await post("/items/batch", mixed)).toEqual({
        status: 207,
        applied: undefined,
        body: {
          status: "partial",
          succeeded: 2,
          failed: 1,
          results: [{ index: 0, status: "success", id: "a" }, error, { index: 2, status: "success", id: "b" }],
        },
      })
      expect(await post("/items/batch", failed)).toMatchObject({
        status: 207,
        body: { status: "failed", succeeded: 0 },
      })
    })

    it("configured to list failures lists those only", async () => {
      const { status, body } = await post("/items/batch-failed", mixed)
      expect(status).toBe(207)
      expect(body).toEqual({ status: "partial", succeeded: 2, failed: 1, results: [error] })
      expect((await post("/items/batch-failed", good)).body).toEqual({
        status: "success",
        succeeded: 2,
        failed: 0,
        results: [],
      })
    })

    it("configured to list failures and ids lists failures, and the ids of the others", async () => {
      const { status, body } = await post("/items/batch-failed-ids", mixed)
      expect(status).toBe(207)
      expect(body).toEqual({ status: "partial", succeeded: 2, failed: 1, succeeded_ids: ["a", "b"], results: [error] })
    })

    it("lists failures only for a client that prefers a minimal answer, and says so", async () => {
      const { applied, body } = await post("/items/batch", mixed, { prefer: "return=minimal" })
      expect(applied).toBe("return=minimal")
      expect(body).toEqual({ status: "partial", succeeded: 2, failed: 1, results: [error] })
    })

    it("lists all with their data for a client that prefers a representation, and says so", async () => {
      const { applied, body } = await post("/items/batch-failed", mixed, { prefer: "wait=5, return=representation" })
      expect(applied).toBe("return=representation")
      expect(body).toMatchObject({
        results: [
          { index: 0, status: "success", id: "a", data: itemOf("a", "first") },
          error,
          { index: 2, status: "success", id: "b", data: itemOf("b", "second") },
        ],
      })
    })

    it("configured so answers always 200, or always 207", async () => {
      const statuses = async (url: string) =>
        Promise.all([good, mixed, failed].map(async (body) => (await post(url, body)).status))
      expect(await statuses("/items/batch-200")).toEqual([200, 200, 200])
      expect(await statuses("/items/batch-207")).toEqual([207, 207, 207])
    })

    it("stops after as many failures as the client asked for, where that is offered", async () => {
      const operations = [...failed.operations, good.operations[0], good.operations[1]]
      const { status, body } = await post("/items/batch", {
        stop_after: 1,
        operations: [...failed.operations, ...operations],
      })
      expect(status).toBe(207)
      expect(body).toMatchObject({ status: "failed" })
      expect(await post("/items/batch-200", { stop_after: 1, operations })).toMatchObject({
        status: 400,
        body: { code: "STRATEGY_NOT_OFFERED" },
      })
    })

    it("says nothing of an unexpected exception but that there was one", async () => {
      const { body } = await post("/items/batch", { operations: [{ action: "boom", id: "a" }, good.operations[1]] })
      expect(body).toMatchObject({ succeeded: 1, results: [{ error: { code: "INTERNAL" } }, { status: "success" }] })
      expect(JSON.stringify(body)).not.toContain("secret")
    })

    it("is described", async () => {
      const answer = await client().get("/items/batch/describe")
      expect(jsonOf(answer)).toMatchObject({
        kind: "operations",
        list: "operations",
        strategies: ["partial", "stop-after"],
      })
    })
  })

  describe("a bulk endpoint", () => {
    it("creates, updates and deletes in request order", async () => {
      const created = await post("/items/bulk-create", { items: [{ id: "new", name: "New" }] })
      expect(created).toMatchObject({
        status: 201,
        body: { created: 1, items: [{ id: "new", name: "New", notes: [] }] },
      })
      const updated = await post("/items/bulk-update", {
        items: [
          { id: "b", note: "1" },
          { id: "a", note: "2" },
        ],
      })
      expect(updated).toMatchObject({ status: 200, body: { updated: 2, items: [itemOf("b", "1"), itemOf("a", "2")] } })
      const deleted = await post("/items/bulk-delete", { items: ["new", { id: "a" }] })
      expect(deleted).toMatchObject({ status: 200, body: { deleted: 2, items: [{ id: "new" }, { id: "a" }] } })
      expect((await client().get("/items/new")).status).toBe(404)
    })

    it("answers 207 with the count and the results when some failed", async () => {
      const { status, body } = await post("/items/bulk-create", {
        items: [{ id: "new", name: "New" }, { id: "a", name: "A" }, 5],
      })
      expect(status).toBe(207)
      expect(body).toMatchObject({
        status: "partial",
        created: 1,
        results: [
          { index: 0, status: "success", id: "new" },
          { index: 1, status: "error", error: { code: "DUPLICATE", field: "id" } },
          { index: 2, status: "error", error: { code: "VALIDATION_ERROR", field: "name" } },
        ],
      })
      expect(body).not.toHaveProperty("items")
    })

    it("counts only, for a client that prefers a minimal answer, and says so", async () => {
      const items = [{ id: "new", name: "New" }]
      expect(await post("/items/bulk-create", { items }, { prefer: "return=minimal" })).toEqual({
        status: 201,
        applied: "return=minimal",
        body: { created: 1 },
      })
    })

    it("shows what was made to a client that prefers a representation, and says so", async () => {
      const items = [{ id: "new", name: "New" }, {}]
      const { applied, body } = await post("/items/bulk-create-207", { items }, { prefer: "return=representation" })
      expect(applied).toBe("return=representation")
      expect(body).toMatchObject({
        created: 1,
        results: [{ data: { id: "new", name: "New", notes: [] } }, { status: "error" }],
      })
    })

    it("configured so answers always 200, or always 207, and lists failures only", async () => {
      expect((await post("/items/bulk-create-200", { items: [{ id: "new", name: "New" }] })).status).toBe(200)
      const again = {
        items: [
          { id: "new", name: "New" },
          { id: "newer", name: "Newer" },
        ],
      }
      expect((await post("/items/bulk-create-200", again)).status).toBe(200)
      const { status, body } = await post("/items/bulk-create-207", again)
      expect(status).toBe(207)
      expect(body).toMatchObject({ status: "failed", created: 0, results: [{ index: 0 }, { index: 1 }] })
      await client().send({ method: "DELETE", url: "/items/newer" })
      const { status: good, body: one } = await post("/items/bulk-create-207", {
        items: [{ id: "newer", name: "Newer" }],
      })
      expect([good, one]).toMatchObject([207, { created: 1 }])
    })
  })
}
