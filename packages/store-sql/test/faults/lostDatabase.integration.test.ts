import { connect } from "node:net"

import { type BatchOptions, resource } from "@multistatus/core"
import { createBatch } from "@multistatus/core/adapter"
import { freshDatabase, type Proxy, startProxy } from "@multistatus/test-services"
import type { Kysely } from "kysely"
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest"

import { sqlUnitOfWork } from "../../src/transactions/sqlUnitOfWork.ts"
import { requestOf } from "../support/batches.ts"
import { addKey, keysIn, openKeys, type Tables } from "../support/keys.ts"

const urls = {
  PostgreSQL: () => freshDatabase(inject("postgresUrl")),
  MariaDB: () => freshDatabase(inject("mariadbUrl")),
}

const unavailable = { code: "STORE_UNAVAILABLE", retryable: true, retry_after: 1 }

describe.each(Object.keys(urls) as Array<keyof typeof urls>)("a lost connection to %s", (kind) => {
  let proxy: Proxy
  let database: Awaited<ReturnType<typeof openKeys>>
  let through: Awaited<ReturnType<typeof openKeys>>

  beforeAll(async () => {
    const url = await urls[kind]()
    proxy = await startProxy(url)
    database = await openKeys(url)
    through = await openKeys(proxy.url)
  })
  afterAll(async () => {
    await through?.close().catch(() => undefined)
    await database?.close()
    await proxy?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    proxy.open()
    await database.db.deleteFrom("keys").execute()
  })

  /** Sends a batch of keys to be added. Before it adds the key "lost", the action runs `cut`. */
  const send = async (cut: () => unknown, atomic: boolean, options: BatchOptions = {}) => {
    const reported: Array<unknown> = []
    const keys = resource("keys", {
      add: {
        identified: false,
        run: async (name: string, { tx }) => {
          if (name === "lost") await cut()
          await addKey(tx as Kysely<Tables>, name)
        },
      },
    })
    const batch = createBatch({
      clientStrategies: ["atomic"],
      unitOfWork: sqlUnitOfWork(through.db, { attempts: 3 }),
      concurrency: 1,
      onUnexpected: (error) => void reported.push(error),
      ...options,
    })
    const operations = ["a", "lost", "b"].map((data) => ({ action: "add", data }))
    const answer = await batch.operations(keys).handle(requestOf(JSON.stringify({ atomic, operations })))
    await batch.close()
    return { ...answer, json: JSON.parse(answer.body), reported, keys: await keysIn(database.db) }
  }

  it("makes an atomic batch answer 503 with Retry-After, and leaves nothing behind", async () => {
    const answer = await send(proxy.shut, true)
    expect(answer.status).toBe(503)
    expect(answer.headers).toMatchObject({ "retry-after": "1" })
    expect(answer.json).toMatchObject({ code: "STORE_UNAVAILABLE", operations_applied: 0 })
    expect(answer.reported).toHaveLength(1)
    expect(answer.keys).toEqual([])
  })

  it.each([
    ["in a transaction", { transactionSize: 10 }],
    ["outside of transactions", {}],
  ])("makes operations %s fail as retryable, and is reported once", async (_, options) => {
    const { json, reported, keys } = await send(proxy.shut, false, options)
    const failed = json.results.filter(({ status }: { readonly status: string }) => status === "error")
    expect(failed).toHaveLength("transactionSize" in options ? 3 : 2)
    for (const { error } of failed) expect(error).toMatchObject(unavailable)
    expect(reported).toHaveLength(1)
    expect(keys).toEqual("transactionSize" in options ? [] : ["a"])
  })

  it("is survived by a transaction that has not begun to commit", async () => {
    let isCut = false
    const cutOnce = () => {
      if (isCut) return
      isCut = true
      proxy.shut()
      proxy.open()
    }
    const { status, keys, reported } = await send(cutOnce, true)
    expect(status).toBe(200)
    expect(keys).toEqual(["a", "b", "lost"])
    expect(reported).toEqual([])
  })

  it("is told from that of another service", async () => {
    let calls = 0
    const callOther = async () => {
      calls++
      const socket = connect(1, "127.0.0.1")
      await new Promise((_, reject) => socket.on("error", reject))
    }
    const { json, reported } = await send(callOther, true)
    expect(json).toMatchObject({ code: "INTERNAL", failed_index: 1 })
    expect(reported).toHaveLength(1)
    expect(calls).toBe(1)
  })
})
