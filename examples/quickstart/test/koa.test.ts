/**
 * Tests of the adapter for Koa in the documentation.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ask } from "./ask.ts"
import { type Server, start } from "./Server.ts"

const program = join(import.meta.dirname, "../koa.ts")

describe("the adapter for Koa", () => {
  let server: Server
  beforeAll(async () => {
    server = await start(program)
  })
  afterAll(() => server.close())

  it("has at most 60 lines, including the application", () => {
    expect(readFileSync(program, "utf8").trim().split("\n").length).toBeLessThanOrEqual(60)
  })

  it("answers batches of operations and runs sub-requests through the application", async () => {
    const operations = [
      { action: "create", data: "milk" },
      { action: "delete", id: 7 },
    ]
    expect(await ask(`${server.origin}/notes/batch`, { operations })).toMatchObject({
      status: 207,
      body: { status: "partial", succeeded: 1, results: [{ id: "1" }, { id: "7", error: { code: "NOT_FOUND" } }] },
    })
    const requests = [
      { id: "notes", method: "GET", url: "/notes" },
      { id: "other", method: "GET", url: "/other" },
      { id: "nested", method: "POST", url: "/batch", body: { requests: [{ id: "1", method: "GET", url: "/notes" }] } },
    ]
    expect(await ask(`${server.origin}/batch`, { requests })).toMatchObject({
      status: 200,
      body: {
        responses: [
          { id: "notes", status: 200, body: { notes: ["milk"] } },
          { id: "other", status: 404 },
          { id: "nested", status: 400, body: { code: "NESTED_BATCH" } },
        ],
      },
    })
  })
})
