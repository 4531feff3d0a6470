/**
 * Tests of the program for atomic batches in the documentation.
 */
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { ask } from "./ask.ts"
import { type Server, start } from "./Server.ts"

describe("the atomic example", () => {
  let server: Server
  beforeAll(async () => {
    server = await start(join(import.meta.dirname, "../atomic.ts"))
  })
  afterAll(() => server.close())

  const balances = async () => (await ask(`${server.origin}/accounts`)).body
  let before: unknown
  beforeEach(async () => {
    before = await balances()
  })

  it("moves an amount between two accounts", async () => {
    const operations = [
      { action: "add", id: "a", data: -10 },
      { action: "add", id: "b", data: 10 },
    ]
    expect(await ask(`${server.origin}/accounts/batch`, { operations })).toMatchObject({
      status: 200,
      body: { status: "success", succeeded: 2 },
    })
    expect(await balances()).toEqual([
      { id: "a", balance: 90 },
      { id: "b", balance: 110 },
    ])
  })

  it("rolls back all operations when one fails", async () => {
    const operations = [
      { action: "add", id: "a", data: 500 },
      { action: "add", id: "b", data: -500 },
    ]
    expect(await ask(`${server.origin}/accounts/batch`, { operations })).toMatchObject({
      status: 409,
      body: {
        status: "failed",
        error: "Operation 2 failed: account b has insufficient funds",
        operations_applied: 0,
        failed_index: 1,
        code: "CONFLICT",
      },
    })
    expect(await balances()).toEqual(before)
  })

  it("runs operations independently if the client asks for it", async () => {
    const operations = [
      { action: "add", id: "a", data: 5 },
      { action: "add", id: "b", data: -500 },
    ]
    expect(await ask(`${server.origin}/accounts/batch`, { atomic: false, operations })).toMatchObject({
      status: 207,
      body: { succeeded: 1, failed: 1 },
    })
    expect(await balances()).not.toEqual(before)
  })

  it("rolls back the writes of ordinary routes", async () => {
    const requests = [
      { id: "1", method: "POST", url: "/accounts/a/add/500" },
      { id: "2", method: "POST", url: "/accounts/b/add/-500" },
    ]
    expect(await ask(`${server.origin}/batch`, { atomic: true, requests })).toMatchObject({
      body: { responses: [{ status: 424, body: { code: "ROLLED_BACK" } }, { status: 409 }] },
    })
    expect(await balances()).toEqual(before)
  })

  it("refuses a statement that would escape the transaction", async () => {
    const operations = [
      { action: "add", id: "a", data: 1 },
      { action: "mistaken", id: "b" },
    ]
    expect(await ask(`${server.origin}/accounts/batch`, { operations })).toMatchObject({
      status: 500,
      body: { failed_index: 1, code: "OUTSIDE_TRANSACTION" },
    })
    expect(await balances()).toEqual(before)
  })
})
