/**
 * Tests of the quick start programs in the README.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ask } from "./ask.ts"
import { fences, guides } from "./Page.ts"
import { type Server, start } from "./Server.ts"

const programs = join(import.meta.dirname, "..")
const readme = guides().find(({ path }) => path === "README.md")!

describe.each(["express", "fastify"])("the quick start on %s", (framework) => {
  const program = join(programs, `${framework}.ts`)
  let server: Server
  beforeAll(async () => {
    server = await start(program)
  })
  afterAll(() => server.close())

  const post = async (path: string, body: unknown) => {
    const { status, body: answer } = await ask(server.origin + path, body)
    return { status, body: answer as Record<string, unknown> }
  }

  it("has at most 20 lines and is in the README", () => {
    const text = readFileSync(program, "utf8")
    expect(text.trim().split("\n").length).toBeLessThanOrEqual(20)
    expect(fences(readme, "ts").map((fence) => fence.text)).toContain(text)
  })

  it("creates in bulk, runs operations, and runs sub-requests through its own routes", async () => {
    const alice = { name: "Alice", email: "alice@example.com" }
    const created = await post("/api/v1/users/bulk-create", { users: [alice, { ...alice, name: "Bob" }] })
    expect(created).toMatchObject({ status: 201, body: { created: 2, users: [alice, { name: "Bob" }] } })
    const [{ id }] = created.body["users"] as [{ readonly id: string }]

    const operations = [
      { action: "delete", id },
      { action: "delete", id: "u_099" },
      { action: "create", data: { ...alice, email: "alice" } },
    ]
    expect(await post("/api/v1/users/batch", { operations })).toMatchObject({
      status: 207,
      body: {
        status: "partial",
        succeeded: 1,
        failed: 2,
        results: [
          { index: 0, status: "success", id },
          { index: 1, status: "error", error: { code: "NOT_FOUND", message: "User u_099 not found" } },
          { index: 2, status: "error", error: { code: "VALIDATION_ERROR", field: "email" } },
        ],
      },
    })

    const requests = [
      { id: "all", method: "GET", url: "/api/v1/users" },
      { id: "none", method: "GET", url: "/api/v1/nothing" },
    ]
    expect(await post("/api/v1/batch", { requests })).toMatchObject({
      status: 200,
      body: {
        responses: [
          { id: "all", status: 200, body: { users: [{ name: "Bob" }] } },
          { id: "none", status: 404 },
        ],
      },
    })
  })

  it("answers the curl command of the README as the README shows", async () => {
    const command = fences(readme, "sh").find(({ text }) => text.startsWith("curl"))?.text ?? ""
    const [, path = "", data = ""] = /:3000(\S+).*--data '(.*)'/s.exec(command) ?? []
    const shown = JSON.parse(fences(readme, "json")[0]?.text ?? "") as { readonly results: [object] }
    const [created, ...others] = shown.results
    const results = [{ ...created, id: expect.any(String) }, ...others]
    expect((await post(path, JSON.parse(data))).body).toStrictEqual({ ...shown, results })
  })
})
