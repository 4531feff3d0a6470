/** A batch does not get in the way: of real requests, of the event loop, of a server whose client went away. */
import { describe, expect, it, vi } from "vitest"
import { alone, type Client, envelope, jsonOf } from "./Client.ts"
import { inherited, requests, words } from "./requests.ts"
import { type Message, type Received, toBytes } from "./Wire.ts"

/**
 * Nine in ten health checks are answered within so many milliseconds, whatever batch runs; the tenth is left to the
 * garbage collector and to whatever else the machine does.
 */
export const responsiveMs = 50

const real: ReadonlyArray<Message> = words(
  "/text /html /binary /chunked?ms=30 /chunked /large /slow?ms=60 /empty /nothing /redirect /fail/sync /fail/async",
  "/missing /items/kept /negotiated",
)
  .map((url): Message => ({ method: "GET", url }))
  .concat([
    { method: "HEAD", url: "/large" },
    { method: "POST", url: "/echo", headers: { "content-type": "application/json", ...inherited }, body: '{"a":1}' },
    { method: "POST", url: "/echo", headers: { "content-type": "application/json" }, body: "{broken" },
    { method: "GET", url: "/text", headers: { "accept-encoding": "gzip", connection: "close" } },
    { method: "DELETE", url: "/items/none" },
  ])

const health: Message = { method: "GET", url: "/health" }

const undated = ({ raw }: Received): string => raw().replace(/^date: .*$/im, "date:")

export const interference = (client: () => Client): void => {
  describe("real requests", () => {
    it("are answered byte for byte as ever: before, during and after a batch, and across it", async () => {
      await client().send({
        method: "PUT",
        url: "/items/kept",
        headers: { "content-type": "application/json" },
        body: '{"name":"Kept"}',
      })
      const sendAll = () => Promise.all(real.map(async (message) => undated(await client().send(message))))
      const expected = await sendAll()
      const kept = client().open()
      const overKept = async () => undated(await kept.send({ method: "GET", url: "/text" }))
      const first = await overKept()

      const across = sendAll()
      await client().get("/health")
      const lasting = [
        { method: "GET", url: "/slow?ms=120" },
        { method: "GET", url: "/chunked?ms=40" },
      ]
      const dying = ["/fail/destroy", "/fail/half", "/fail/sync"].map((url) => ({ method: "GET", url }))
      const outer = { connection: "close", "accept-encoding": "gzip", origin: "http://app.test", ...inherited }
      const batch = client().post("/batch", envelope([...lasting, ...dying, ...requests]), outer)
      const during = await Promise.all([sendAll(), overKept()])
      expect((await batch).status).toBe(200)
      const after = await sendAll()

      expect(await across).toEqual(expected)
      expect(during).toEqual([expected, first])
      expect(after).toEqual(expected)
      expect(await overKept()).toBe(first)
      kept.destroy()
    })
  })

  describe("a client that goes away", () => {
    const marks = async (prefix: string) => {
      const { began, ended } = jsonOf(await client().get("/marks")) as Record<"began" | "ended", ReadonlyArray<string>>
      const own = (all: ReadonlyArray<string>) => all.filter((mark) => mark.startsWith(prefix))
      return { began: own(began), ended: own(ended) }
    }

    it("leaves what runs to finish, and the rest does not begin", async () => {
      const wire = client().open()
      const slow = Array.from({ length: 40 }, (_, index) => ({ method: "GET", url: `/slow?ms=150&mark=gone-${index}` }))
      wire.write(toBytes(alone({ method: "POST", url: "/batch", body: envelope(slow) }, {}), client().host))
      await vi.waitFor(async () => expect((await marks("gone-")).began.length).toBeGreaterThan(0), { interval: 5 })
      wire.destroy()
      // Were the rest not held back, it would begin as soon as what runs has ended: both counts meet at 40 then.
      await vi.waitFor(
        async () => {
          const { began, ended } = await marks("gone-")
          expect(ended.toSorted()).toEqual(began.toSorted())
        },
        { timeout: 5_000, interval: 20 },
      )
      expect((await marks("gone-")).began.length).toBeLessThan(40)
      expect((await client().get("/health")).status).toBe(200)
    })

    it("before its body has arrived begins nothing", async () => {
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

  describe("a batch of a thousand sub-requests that only compute", () => {
    it(`lets nine in ten health checks be answered within ${responsiveMs} ms`, { retry: 1 }, async () => {
      const computing = Array.from({ length: 1_000 }, () => ({ method: "GET", url: "/busy?ms=0.1" }))
      const wire = client().open()
      await wire.send(health)
      const batch = client().post("/batch", envelope(computing))
      const ended = batch.then(() => "ended" as const)
      const delays: Array<number> = []
      do {
        const start = performance.now()
        expect((await wire.send(health)).status).toBe(200)
        delays.push(performance.now() - start)
      } while ((await Promise.race([ended, "running"])) !== "ended")
      wire.destroy()
      expect((await batch).status).toBe(200)
      // An engine that does not let go answers them all at once at the end.
      expect(delays.length).toBeGreaterThan(4)
      const slowest = delays.toSorted((a, b) => b - a)[Math.floor(delays.length / 10)]
      expect(slowest).toBeLessThan(responsiveMs)
    })
  })
}
