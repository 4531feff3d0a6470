/** How long a hostile JSON batch keeps a server from answering others, over real HTTP. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as delay } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

let server: ChildProcess
let origin: string

beforeAll(async () => {
  const file = fileURLToPath(new URL("../../support/hostileHost.ts", import.meta.url))
  server = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] })
  const [line] = (await once(server.stdout!, "data")) as [Buffer]
  origin = String(line).trim()
})
afterAll(() => server.kill())

const blocked = async (): Promise<number> => Number(await (await fetch(`${origin}/blocked`)).text())

/** Runs a batch; returns the longest turn of the server's event loop, in milliseconds of processor time. */
const longestTurn = async (text: string): Promise<number> => {
  await blocked()
  const headers = { "content-type": "application/json" }
  const answered = fetch(`${origin}/batch`, { method: "POST", headers, body: text })
    .then((response) => response.arrayBuffer())
    .then(() => true)
  do expect((await fetch(`${origin}/health`)).status).toBe(200)
  while (!(await Promise.race([answered, delay(5, false)])))
  return blocked()
}

const many = (count: number, make: (index: number) => object) =>
  JSON.stringify({
    requests: Array.from({ length: count }, (_, index) => ({
      id: String(index),
      method: "POST",
      url: "/fast",
      ...make(index),
    })),
  })

const longIds = Array.from({ length: 250 }, (_, index) => ".".repeat(index + 1))

const batches: Readonly<Record<string, () => string>> = {
  "10,000 dependencies": () =>
    many(1_000, (index) => ({
      dependsOn: Array.from({ length: Math.min(index, 10) }, (_, back) => String(index - back - 1)),
    })),
  "10,000 dependencies on later requests": () =>
    many(1_000, (index) => ({
      dependsOn: Array.from({ length: Math.min(999 - index, 10) }, (_, next) => String(index + next + 1)),
    })),
  "500,000 dependencies": () =>
    many(1_000, (index) => ({ dependsOn: Array.from({ length: index }, (_, earlier) => String(earlier)) })),
  "1 MB of unfinished references": () => many(2, (index) => (index === 0 ? {} : { body: "@{0.".repeat(250_000) })),
  "1 MB of marks and ids of 250 lengths": () =>
    JSON.stringify({
      requests: [...longIds, "last"].map((id) => ({
        id,
        method: "POST",
        url: "/fast",
        ...(id === "last" && { body: `${`@{${".".repeat(252)}`.repeat(4_000)}}` }),
      })),
    }),
  "400 references to one value of 1 MB": () =>
    many(401, (index) => (index === 0 ? { method: "GET", url: "/list" } : { body: "@{0.body}" })),
  "650,000 distinct member names": () =>
    `{"requests":[{"id":"1","method":"POST","url":"/fast","body":{${Array.from(
      { length: 650_000 },
      (_, index) => `"m${index}":1`,
    ).join()}}}]}`,
  "650,000 distinct member names of the envelope": () =>
    `{${Array.from({ length: 650_000 }, (_, index) => `"m${index}":1`).join()}}`,
  "1,000,000 numbers that printing would change": () =>
    `{"requests":[{"id":"1","method":"POST","url":"/fast","body":[${"1.0,".repeat(1_000_000)}1.0]}]}`,
  "4 MB binary replies": () => many(8, () => ({ method: "GET", url: "/binary" })),
  "300 lists of 2 MB": () => many(300, () => ({ method: "GET", url: "/list" })),
}

describe("while a batch runs with", () => {
  it.each(Object.keys(batches))("%s, the event loop is never blocked for 250 ms", async (name) => {
    const text = batches[name]!()
    let least = Number.POSITIVE_INFINITY
    // The first rounds compile the code.
    for (let round = 0; round < 4 && least >= 250; round++) {
      least = Math.min(least, await longestTurn(text))
    }
    expect(least).toBeLessThan(250)
  })
})
