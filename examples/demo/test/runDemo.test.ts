import { describe, expect, it } from "vitest"

import { cities } from "../src/cities.ts"
import { makeClient } from "../src/Client.ts"
import { importRows } from "../src/importRows.ts"
import { runDemo } from "../src/runDemo.ts"
import { startServer } from "../src/startServer.ts"
import { startBulkServer } from "./bulkServer.ts"

const demo = async (start: typeof startServer) => {
  const printed: Array<string> = []
  const answered: Array<number> = []
  const agrees = await runDemo({
    start,
    rows: 7300,
    compared: 100,
    print: (line) => printed.push(line),
    progress: () => ({ update: (done) => answered.push(done), [Symbol.dispose]: () => undefined }),
  })
  return { agrees, printed, answered }
}

describe("runDemo", () => {
  it("reports created rows, refused rows with their reasons, and that the database agrees", async () => {
    const { agrees, printed, answered } = await demo(() => startBulkServer())
    expect(printed.slice(0, 4)).toEqual([
      "7,277 of 7,300 rows created, 23 refused",
      '  9 × DUPLICATE email: "Email already exists", as in row 250',
      '  7 × VALIDATION_ERROR name: "Name is empty", as in row 500',
      '  7 × VALIDATION_ERROR email: "Invalid email format", as in row 1,000',
    ])
    expect(printed[4]).toMatch(/^\d+\.\d\d s, [\d,]+ rows a second$/)
    expect(printed[5]).toBe("The database holds 7,277 users: all counts agree")
    expect(printed[6]).toMatch(
      /^The first 100 rows on fresh servers: \d+ ms as single .* one batch, [\d.]+ times as fast$/,
    )
    expect(agrees).toBe(true)
    expect(answered).toHaveLength(15)
    expect(answered.at(-1)).toBe(7300)
  })

  it("reports that the database has fewer users than were created", async () => {
    const [lost] = cities(1)
    const { agrees, printed } = await demo(() => startBulkServer(lost?.name))
    expect(agrees).toBe(false)
    expect(printed).toContain("DISAGREES: 7,277 users were reported, the server has 7,276")
  })
})

describe("importRows", () => {
  it("rejects if the response is not one of the bulk endpoint", async () => {
    await using server = await startServer()
    using client = makeClient(server.origin)
    const importing = importRows({ ...client, post: () => client.post("/nope", {}) }, cities(10))
    await expect(importing).rejects.toThrow(/^The server answered a batch of 10 rows with 404 .*NOT_FOUND/)
  })

  it("rejects if the response does not account for every row", async () => {
    await using server = await startBulkServer()
    using client = makeClient(server.origin)
    const post = async () => ({ status: 201, body: { created: 9, users: [] } })
    await expect(importRows({ ...client, post }, cities(10))).rejects.toThrow(
      "The server answered a batch of 10 rows with 201",
    )
  })

  it("sends at most inFlight batches at once", async () => {
    await using server = await startBulkServer()
    using client = makeClient(server.origin)
    let inFlight = 0
    let most = 0
    const post = async (path: string, body: unknown) => {
      most = Math.max(most, ++inFlight)
      const reply = await client.post(path, body)
      inFlight--
      return reply
    }
    const report = await importRows({ ...client, post }, cities(2005), { batchSize: 100, inFlight: 3 })
    expect(most).toBe(3)
    expect(report.sent).toBe(2005)
  })
})

describe("the reference server", () => {
  it("creates every row without a fault and refuses every other with that fault", async () => {
    await using server = await startServer()
    using client = makeClient(server.origin)
    const refused: Array<unknown> = []
    let row = 0
    for (const city of cities(1000)) {
      row++
      const { status, body } = await client.post("/api/v1/users", city)
      if (status !== 201) refused.push({ row, ...(body as object) })
    }
    expect(refused).toMatchObject([
      { row: 250, code: "DUPLICATE", field: "email" },
      { row: 500, code: "VALIDATION_ERROR", field: "name" },
      { row: 1000, code: "VALIDATION_ERROR", field: "email" },
    ])
  })
})
