/** JSON batches over real HTTP whose replies are larger than the response may be. */
import { Readable } from "node:stream"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type PlainHost, startPlainHost } from "../../support/plainHost.ts"

const mebibyte = 2 ** 20
let finished = 0
let made = 0
const hosts: Array<PlainHost> = []

const start = async (options: Parameters<typeof startPlainHost>[1]): Promise<PlainHost> => {
  const host = await startPlainHost(
    {
      "/list": (_, response) => {
        response.setHeader("content-type", "application/json").end(JSON.stringify("x".repeat(2 * mebibyte)))
        finished++
      },
      "/export": (request, response) => {
        const chunk = Buffer.alloc(64 * 1024, "x")
        const total = Number(request.path.split("/")[2]) * 16
        const chunks = function* () {
          for (let index = 0; index < total; index++) yield chunk
        }
        response.setHeader("content-type", "text/csv")
        Readable.from(chunks())
          .pipe(response)
          .on("finish", () => finished++)
      },
      "/users": (_, response) => {
        made++
        response.writeHead(201, { "content-type": "application/json" }).end(`{"id":"u_1"}`)
      },
    },
    options,
  )
  hosts.push(host)
  return host
}

beforeAll(() => {
  finished = made = 0
})
afterAll(() => Promise.all(hosts.map((host) => host.close())))

const get = (id: string, url: string) => ({ id, method: "GET", url })

const leftOut = (id: string) => ({
  id,
  status: 507,
  body: {
    type: "urn:multistatus:problem:response-too-large",
    title: "Response too large",
    status: 507,
    detail: "The operation ran and succeeded, but its result does not fit in the response",
    code: "RESPONSE_TOO_LARGE",
    retryable: false,
  },
})

describe("a reply that is larger than the response may be", () => {
  it("is left out alone, and everything else is answered", async () => {
    const host = await start({ limits: { responseBytes: mebibyte } })
    const responses = await host.batch([
      get("export", "/export/20"),
      { id: "made", method: "POST", url: "/users", body: {} },
      get("small", "/export/0.0625"),
      { id: "referring", method: "POST", url: "/users", body: "@{export.body}" },
      { ...get("after", "/export/0.0625"), dependsOn: ["export"] },
    ])
    expect(responses[0]).toEqual(leftOut("export"))
    expect(responses.map(({ status }) => status)).toEqual([507, 201, 200, 424, 200])
    expect(responses[3]!.body).toMatchObject({
      code: "UNRESOLVED_REFERENCE",
      detail: expect.stringContaining("does not fit in the response of the batch"),
    })
    expect({ finished, made }).toEqual({ finished: 3, made: 1 })
  })

  it("takes no more memory than the response may have", async () => {
    const host = await start({ limits: { responseBytes: 4 * mebibyte } })
    const requests = Array.from({ length: 40 }, (_, index) => get(String(index), "/export/20"))
    let most = 0
    const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1)
    const before = process.memoryUsage().arrayBuffers
    const responses = await host.batch(requests)
    clearInterval(timer)
    expect(responses).toEqual(requests.map(({ id }) => leftOut(id)))
    // 800 MiB were written. Ten writers have a chunk each, and garbage is collected late.
    expect(most - before).toBeLessThan(100 * mebibyte)
  })

  it("by default is one that exceeds 32 MiB together with those that ended before", async () => {
    const host = await start({})
    const response = await host.post(
      JSON.stringify({ requests: Array.from({ length: 100 }, (_, index) => get(String(index), "/list")) }),
    )
    expect(response.status).toBe(200)
    const text = await response.text()
    expect(text.length).toBeLessThan(32.1 * mebibyte)
    const { responses } = JSON.parse(text) as { readonly responses: ReadonlyArray<{ readonly status: number }> }
    const answered = responses.filter(({ status }) => status === 200).length
    expect(answered).toBeGreaterThan(10)
    expect(answered).toBeLessThanOrEqual(15)
    expect(responses.filter(({ status }) => status === 507)).toHaveLength(100 - answered)
  })
})
