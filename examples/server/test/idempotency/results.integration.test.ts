/** A retry never runs a handler again, whatever the handler returned. */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

import { expressBatch } from "@multistatus/adapter-express"
import { fastifyBatch } from "@multistatus/adapter-fastify"
import { type IdempotencyStore } from "@multistatus/core/store"
import { memoryIdempotencyStore, resource } from "@multistatus/core"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { freshDatabase } from "@multistatus/test-services"
import express from "express"
import Fastify from "fastify"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { databases } from "../databases.ts"
import { takingTurns } from "../batch/ServerProcess.ts"
import { codes } from "./asking.ts"
import type { Answer, Results } from "../batch/Api.ts"

const cycle = (): object => {
  const value: Record<string, unknown> = { id: "c" }
  value["self"] = value
  return value
}

/** Results of handlers; those above 64 KiB are stored without their data. */
const answers: Readonly<Record<string, () => unknown>> = {
  nothing: () => undefined,
  null: () => null,
  "an empty text": () => "",
  zero: () => -0,
  "no number": () => Number.NaN,
  "a big integer": () => ({ id: "b", n: 12345678901234567890n }),
  "a cycle": cycle,
  "a date": () => ({ at: new Date(0) }),
  "a date that is none": () => ({ at: new Date(Number.NaN) }),
  bytes: () => new Uint8Array([0, 255]),
  "a map": () => new Map([["a", 1]]),
  "a function": () => () => 1,
  "a symbol": () => ({ s: Symbol("s") }),
  "a getter that throws": () => ({
    get a() {
      throw new Error("no")
    },
  }),
  "a toJSON that throws": () => ({
    toJSON: () => {
      throw new Error("no")
    },
  }),
  "a NUL and a lone surrogate": () => ({ text: "\0\ud800" }),
  "a member __proto__": () => JSON.parse(`{"__proto__":{"a":1}}`) as unknown,
  "64 KiB less what is around it": () => "x".repeat(65_000),
  "64 KiB": () => "x".repeat(65_536),
  "8 MB": () => "x".repeat(8_000_000),
}

const stores: Readonly<Record<string, () => Promise<{ store: IdempotencyStore; close: () => unknown }>>> = {
  memory: async () => ({ store: memoryIdempotencyStore(), close: () => undefined }),
  PostgreSQL: async () => {
    const { db, dialect, close } = await openDatabase<unknown>(await databases.postgres())
    await migrate(db, dialect)
    return { store: sqlIdempotencyStore(db), close }
  },
  Redis: async () => {
    const client = redisClient(await freshDatabase(inject("redisUrl")))
    await checkRedis(client)
    return { store: redisIdempotencyStore(client), close: () => client.disconnect() }
  },
}

const cases = [...takingTurns(["memory", "PostgreSQL", "Redis"]), { name: "memory", framework: "fastify" } as const]

describe.each(cases)("a handler, with keys in $name, on $framework, that returns", ({ framework, name }) => {
  const ran = new Map<string, number>()
  const things = resource("things", {
    make: {
      identified: false,
      run: (input) => {
        const { answer, key } = input as { readonly answer: string; readonly key: string }
        ran.set(key, (ran.get(key) ?? 0) + 1)
        return answers[answer]!()
      },
    },
  })
  let origin: string
  const closing: Array<() => unknown> = []

  beforeAll(async () => {
    const { store, close } = await stores[name]!()
    closing.push(close)
    const options = { tenant: () => "client", onUnexpected: () => {}, idempotency: { store } }
    if (framework === "fastify") {
      const app = Fastify({ forceCloseConnections: true })
      await app.register(fastifyBatch, options)
      app.batch.operations("/things/batch", things)
      origin = await app.listen({ port: 0, host: "127.0.0.1" })
      closing.unshift(() => app.close())
    } else {
      const app = express()
      app.post("/things/batch", expressBatch(options).operations(things))
      const server = createServer(app).listen(0, "127.0.0.1")
      await once(server, "listening")
      origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      closing.unshift(() => {
        server.closeAllConnections()
        server.close()
      })
    }
  })
  afterAll(async () => {
    for (const close of closing) await close()
  })

  const send = async (answer: string, key: string, ofBatch: boolean) => {
    const operation = { action: "make", data: { answer, key }, ...(!ofBatch && { idempotency_key: key }) }
    const response = await fetch(`${origin}/things/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(ofBatch && { "idempotency-key": key }) },
      body: JSON.stringify({ operations: [operation] }),
    })
    const body = (await response.json()) as Results
    return codes({ status: response.status, headers: {}, text: "", body } satisfies Answer)
  }

  it.each(Object.keys(answers))("%s", async (answer) => {
    for (const ofBatch of [false, true]) {
      const key = `${answer.replaceAll(/\W/g, "-")}-${ofBatch}`
      expect(await send(answer, key, ofBatch)).toEqual(["ok"])
      for (let round = 0; round < 2; round++) expect(await send(answer, key, ofBatch)).toEqual(["replayed"])
      expect(ran.get(key)).toBe(1)
    }
  })
})
