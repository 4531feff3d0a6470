/** How often a server waits for its store while it answers a batch with keys; effects stay in the process. */
import { fastifyBatch } from "@multistatus/adapter-fastify"
import { type IdempotencyStore } from "@multistatus/core/store"
import { resource } from "@multistatus/core"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { freshDatabase, type Proxy, startProxy } from "@multistatus/test-services"
import Fastify, { type FastifyInstance } from "fastify"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { databases } from "../databases.ts"

/** Milliseconds of silence that end a round trip. */
const quietMs = 40

const inDatabase = async (url: string) => {
  const direct = await openDatabase<unknown>(url)
  await migrate(direct.db, direct.dialect)
  await direct.close()
  const proxy = await startProxy(url, { quietMs })
  const { db, close } = await openDatabase<unknown>(proxy.url, { maxConnections: 1 })
  return { proxy, close, store: sqlIdempotencyStore(db, { purge: false }) }
}

const stores: Readonly<
  Record<string, () => Promise<{ proxy: Proxy; store: IdempotencyStore; close: () => Promise<void> }>>
> = {
  Redis: async () => {
    const proxy = await startProxy(await freshDatabase(inject("redisUrl")), { quietMs })
    const client = redisClient(proxy.url)
    await checkRedis(client)
    return { proxy, store: redisIdempotencyStore(client), close: async () => client.disconnect() }
  },
  PostgreSQL: async () => inDatabase(await databases.postgres()),
  MariaDB: async () => inDatabase(await databases.mariadb()),
}

describe.each(Object.keys(stores))("round trips to %s", (name) => {
  let open: Awaited<ReturnType<(typeof stores)[string]>>
  let app: FastifyInstance
  let origin: string
  const asked: Array<string> = []

  beforeAll(async () => {
    open = await stores[name]!()
    const { store } = open
    const counted: IdempotencyStore = {
      ...store,
      acquire: (...given) => (asked.push("acquire"), store.acquire(...given)),
      settle: (...given) => (asked.push("settle"), store.settle(...given)),
    }
    const things = resource("things", {
      // Together, and one by one.
      create: { runMany: (items) => items.map(({ input }) => input) },
      make: { identified: false, run: (input) => input },
    })
    app = Fastify()
    // Long leases, so that no heartbeat is counted.
    await app.register(fastifyBatch, {
      tenant: () => "client",
      idempotency: { store: counted, sameTransaction: false, lease: 600_000 },
    })
    app.batch.operations("/things/batch", things)
    origin = await app.listen({ port: 0, host: "127.0.0.1" })
    // The first calls may send scripts, or ask which server it is.
    for (const action of ["create", "make"]) for (let round = 0; round < 2; round++) await send(action, 2)
  })
  afterAll(async () => {
    await app?.close()
    await open?.close()
    await open?.proxy[Symbol.asyncDispose]()
  })

  let made = 0
  const send = async (action: string, count: number, headers: Readonly<Record<string, string>> = {}) => {
    const isKeyed = Object.keys(headers).length === 0
    const operations = Array.from({ length: count }, (_, index) => ({
      action,
      ...(isKeyed && { idempotency_key: `k${made++}` }),
      data: { index },
    }))
    asked.length = 0
    const before = open.proxy.roundTrips()
    const response = await fetch(`${origin}/things/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ operations }),
    })
    expect(response.status).toBe(200)
    await response.arrayBuffer()
    return { trips: open.proxy.roundTrips() - before, calls: [...asked] }
  }

  it.each([1, 10, 1000])("are one to claim and one to settle %i operations that share a call", async (count) => {
    expect(await send("create", count)).toEqual({ trips: 2, calls: ["acquire", "settle"] })
  })

  it.each([1, 10, 1000])("are one to claim %i operations run apart, and one for 25 to settle", async (count) => {
    const { trips, calls } = await send("make", count)
    const groups = Math.ceil(count / 25)
    // What ended is settled after 50 ms too, should the machine be busy with something else.
    const settlements = count > 25 ? groups + 2 : groups
    expect({ first: calls[0], others: new Set(calls.slice(1)) }).toEqual({
      first: "acquire",
      others: new Set(["settle"]),
    })
    expect(calls.length).toBeLessThanOrEqual(1 + settlements)
    expect(trips).toBeLessThanOrEqual(1 + settlements)
    expect(trips).toBeGreaterThanOrEqual(2)
  })

  it.each([1, 10, 1000])(
    "are one to claim and one to settle %i operations under the key of their batch",
    async (count) => {
      const headers = { "idempotency-key": `batch-${count}` }
      expect(await send("create", count, headers)).toEqual({ trips: 2, calls: ["acquire", "settle"] })
    },
  )

  it("are one for a batch that is replayed", async () => {
    const headers = { "idempotency-key": "again" }
    await send("create", 100, headers)
    expect(await send("create", 100, headers)).toEqual({ trips: 1, calls: ["acquire"] })
  })
})
