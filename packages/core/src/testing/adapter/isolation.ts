/** Tests that batches do not affect other requests, the event loop, or a server whose client disconnects. */
import { describe, expect, it, vi } from "vitest"
import { alone, type Client, envelope, jsonOf } from "./Client.ts"
import { inherited, requests, words } from "./requests.ts"
import { type WireRequest, type WireResponse, toBytes } from "./Wire.ts"

/**
 * Milliseconds within which nine of ten health checks must be answered while a batch runs. The tenth is left to the garbage
 * collector and the load of the machine.
 */
export const responsiveMs = 50

const otherRequests: ReadonlyArray<WireRequest> = words(
  "/text /html /binary /chunked?ms=30 /chunked /large /slow?ms=60 /empty /nothing /redirect /fail/sync /fail/async",
  "/missing /items/kept /negotiated",
)
  .map((url): WireRequest => ({ method: "GET", url }))
  .concat([
    { method: "HEAD", url: "/large" },
    { method: "POST", url: "/echo", headers: { "content-type": "application/json", ...inherited }, body: '{"a":1}' },
    { method: "POST", url: "/echo", headers: { "content-type": "application/json" }, body: "{broken" },
    { method: "GET", url: "/text", headers: { "accept-encoding": "gzip", connection: "close" } },
    { method: "DELETE", url: "/items/none" },
  ])

const health: WireRequest = { method: "GET", url: "/health" }

const withoutDate = ({ raw }: WireResponse): string => raw().replace(/^date: .*$/im, "date:")

/** Declares the tests. */
export const isolation = (client: () => Client): void => {
  describe("requests outside of a batch", () => {
    it("get the same bytes before, during and after a batch, and across its start", async () => {
      await client().send({
        method: "PUT",
        url: "/items/kept",
        headers: { "content-type": "application/json" },
        body: '{"name":"Kept"}',
      })
      const sendAll = () => Promise.all(otherRequests.map(async (request) => withoutDate(await client().send(request))))
      const expected = await sendAll()
      const connection = client().open()
      const overConnection = async () => withoutDate(await connection.send({ method: "GET", url: "/text" }))
      const first = await overConnection()

      const across = sendAll()
      await client().get("/health")
      const slow = [
        { method: "GET", url: "/slow?ms=120" },
        { method: "GET", url: "/chunked?ms=40" },
      ]
      const failing = ["/fail/destroy", "/fail/half", "/fail/sync"].map((url) => ({ method: "GET", url }))
      const outer = { connection: "close", "accept-encoding": "gzip", origin: "http://app.test", ...inherited }
      const batch = client().post("/batch", envelope([...slow, ...failing, ...requests]), outer)
      const during = await Promise.all([sendAll(), overConnection()])
      expect((await batch).status).toBe(200)
      const after = await sendAll()

      expect(await across).toEqual(expected)
      expect(during).toEqual([expected, first])
      expect(after).toEqual(expected)
      expect(await overConnection()).toBe(first)
      connection.destroy()
    })
  })

  describe("a client that disconnects", () => {
    const marks = async (prefix: string) => {
      const { began, ended } = jsonOf(await client().get("/marks")) as Record<"began" | "ended", ReadonlyArray<string>>
      const own = (all: ReadonlyArray<string>) => all.filter((mark) => mark.startsWith(prefix))
      return { began: own(began), ended: own(ended) }
    }

    it("lets running sub-requests finish and starts no others", async () => {
      const wire = client().open()
      const slow = Array.from({ length: 40 }, (_, index) => ({
        method: "GET",
        url: `/slow?ms=150&mark=disconnect-${index}`,
      }))
      wire.write(toBytes(alone({ method: "POST", url: "/batch", body: envelope(slow) }, {}), client().host))
      await vi.waitFor(async () => expect((await marks("disconnect-")).began.length).toBeGreaterThan(0), {
        interval: 5,
      })
      wire.destroy()
      // If the others were started, the two counts would only be equal at 40.
      await vi.waitFor(
        async () => {
          const { began, ended } = await marks("disconnect-")
          expect(ended.toSorted()).toEqual(began.toSorted())
        },
        { timeout: 5_000, interval: 20 },
      )
      expect((await marks("disconnect-")).began.length).toBeLessThan(40)
      expect((await client().get("/health")).status).toBe(200)
    })

    it("before its body has arrived starts nothing", async () => {
      const wire = client().open()
      const body = JSON.stringify(envelope([{ method: "GET", url: "/slow?ms=0&mark=half-0" }]))
      const headers = { "content-type": "application/json", "content-length": String(body.length) }
      wire.write(toBytes({ method: "POST", url: "/batch", headers, body: body.slice(0, -5) }, client().host))
      await client().get("/health")
      wire.destroy()
      await client().batch([{ method: "GET", url: "/slow?ms=30&mark=half-done" }])
      expect((await marks("half-")).began).toEqual(["half-done"])
    })
  })

  describe("a batch of a thousand CPU-bound sub-requests", () => {
    it(`leaves nine of ten health checks answered within ${responsiveMs} ms`, { retry: 1 }, async () => {
      const cpuBound = Array.from({ length: 1_000 }, () => ({ method: "GET", url: "/busy?ms=0.1" }))
      const wire = client().open()
      await wire.send(health)
      const batch = client().post("/batch", envelope(cpuBound))
      const ended = batch.then(() => "ended" as const)
      const delays: Array<number> = []
      do {
        const start = performance.now()
        expect((await wire.send(health)).status).toBe(200)
        delays.push(performance.now() - start)
      } while ((await Promise.race([ended, "running"])) !== "ended")
      wire.destroy()
      expect((await batch).status).toBe(200)
      // An engine that blocks the event loop would leave time for a few checks only.
      expect(delays.length).toBeGreaterThan(4)
      const slowest = delays.toSorted((a, b) => b - a)[Math.floor(delays.length / 10)]
      expect(slowest).toBeLessThan(responsiveMs)
    })
  })
}
