/** Tests of the responses of operations and bulk endpoints: status, listed results, preferences. */
import { beforeEach, describe, expect, it } from "vitest"
import { type Client, jsonOf } from "./Client.ts"

const missing = (id: string) => ({ code: "NOT_FOUND", message: `There is no item "${id}"` })

/** Declares the tests. */
export const responses = (client: () => Client): void => {
  const put = (id: string) =>
    client().send({
      method: "PUT",
      url: `/items/${id}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: id.toUpperCase() }),
    })
  const post = async (url: string, body: unknown, headers?: Readonly<Record<string, string>>) => {
    const response = await client().post(url, body, headers)
    return { status: response.status, body: jsonOf(response), applied: response.headers["preference-applied"] }
  }
  const succeeding = {
    operations: [
      { action: "update", id: "a", data: { note: "first" } },
      { action: "update", id: "b", data: { note: "second" } },
    ],
  }
  const mixed = { operations: [succeeding.operations[0], { action: "delete", id: "none" }, succeeding.operations[1]] }
  const failing = { operations: [{ action: "delete", id: "none" }] }
  const itemOf = (id: string, ...notes: ReadonlyArray<string>) => ({ id, name: id.toUpperCase(), notes })
  const error = { index: 1, status: "error", id: "none", error: missing("none") }

  beforeEach(async () => {
    await put("a")
    await put("b")
    await client().send({ method: "DELETE", url: "/items/new" })
  })

  describe("an operations endpoint", () => {
    it("responds 200 if all operations succeeded, and 207 if any failed", async () => {
      expect(await post("/items/batch", succeeding)).toMatchObject({
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
      expect(await post("/items/batch", failing)).toMatchObject({
        status: 207,
        body: { status: "failed", succeeded: 0 },
      })
    })

    it("lists only failures if that is configured", async () => {
      const { status, body } = await post("/items/batch-failed", mixed)
      expect(status).toBe(207)
      expect(body).toEqual({ status: "partial", succeeded: 2, failed: 1, results: [error] })
      expect((await post("/items/batch-failed", succeeding)).body).toEqual({
        status: "success",
        succeeded: 2,
        failed: 0,
        results: [],
      })
    })

    it("lists failures and the ids of the others if that is configured", async () => {
      const { status, body } = await post("/items/batch-failed-ids", mixed)
      expect(status).toBe(207)
      expect(body).toEqual({ status: "partial", succeeded: 2, failed: 1, succeeded_ids: ["a", "b"], results: [error] })
    })

    it("lists only failures for the preference return=minimal, and confirms it", async () => {
      const { applied, body } = await post("/items/batch", mixed, { prefer: "return=minimal" })
      expect(applied).toBe("return=minimal")
      expect(body).toEqual({ status: "partial", succeeded: 2, failed: 1, results: [error] })
    })

    it("lists all results with data for the preference return=representation, and confirms it", async () => {
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

    it("always responds 200, or always 207, if that is configured", async () => {
      const statuses = async (url: string) =>
        Promise.all([succeeding, mixed, failing].map(async (body) => (await post(url, body)).status))
      expect(await statuses("/items/batch-200")).toEqual([200, 200, 200])
      expect(await statuses("/items/batch-207")).toEqual([207, 207, 207])
    })

    it("stops after the requested number of failures, if that strategy is offered", async () => {
      const operations = [...failing.operations, succeeding.operations[0], succeeding.operations[1]]
      const { status, body } = await post("/items/batch", {
        stop_after: 1,
        operations: [...failing.operations, ...operations],
      })
      expect(status).toBe(207)
      expect(body).toMatchObject({ status: "failed" })
      expect(await post("/items/batch-200", { stop_after: 1, operations })).toMatchObject({
        status: 400,
        body: { code: "STRATEGY_NOT_OFFERED" },
      })
    })

    it("reveals nothing of an unexpected exception", async () => {
      const { body } = await post("/items/batch", {
        operations: [{ action: "boom", id: "a" }, succeeding.operations[1]],
      })
      expect(body).toMatchObject({ succeeded: 1, results: [{ error: { code: "INTERNAL" } }, { status: "success" }] })
      expect(JSON.stringify(body)).not.toContain("secret")
    })

    it("has a description", async () => {
      const response = await client().get("/items/batch/describe")
      expect(jsonOf(response)).toMatchObject({
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

    it("responds 207 with the count and the results if some items failed", async () => {
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

    it("responds with the count alone for the preference return=minimal, and confirms it", async () => {
      const items = [{ id: "new", name: "New" }]
      expect(await post("/items/bulk-create", { items }, { prefer: "return=minimal" })).toEqual({
        status: 201,
        applied: "return=minimal",
        body: { created: 1 },
      })
    })

    it("lists the created items for the preference return=representation, and confirms it", async () => {
      const items = [{ id: "new", name: "New" }, {}]
      const { applied, body } = await post("/items/bulk-create-207", { items }, { prefer: "return=representation" })
      expect(applied).toBe("return=representation")
      expect(body).toMatchObject({
        created: 1,
        results: [{ data: { id: "new", name: "New", notes: [] } }, { status: "error" }],
      })
    })

    it("always responds 200, or always 207, and lists only failures, if that is configured", async () => {
      expect((await post("/items/bulk-create-200", { items: [{ id: "new", name: "New" }] })).status).toBe(200)
      const failingItems = {
        items: [
          { id: "new", name: "New" },
          { id: "newer", name: "Newer" },
        ],
      }
      expect((await post("/items/bulk-create-200", failingItems)).status).toBe(200)
      const { status, body } = await post("/items/bulk-create-207", failingItems)
      expect(status).toBe(207)
      expect(body).toMatchObject({ status: "failed", created: 0, results: [{ index: 0 }, { index: 1 }] })
      await client().send({ method: "DELETE", url: "/items/newer" })
      const newer = await post("/items/bulk-create-207", { items: [{ id: "newer", name: "Newer" }] })
      expect(newer).toMatchObject({ status: 207, body: { created: 1 } })
    })
  })
}
