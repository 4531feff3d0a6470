import { freshDatabase } from "@multistatus/test-services"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { addEndpoint, each, keysFrom } from "../support/batches.ts"
import { keysIn, openKeys } from "../support/keys.ts"
import { type CutProxy, cutProxy } from "./CutProxy.ts"

const urls = {
  PostgreSQL: () => freshDatabase(inject("postgresUrl")),
  MariaDB: () => freshDatabase(inject("mariadbUrl")),
}

const timeout = 60_000

describe.each(Object.keys(urls) as Array<keyof typeof urls>)("a commit whose reply is lost on %s", (kind) => {
  let proxy: CutProxy
  let database: Awaited<ReturnType<typeof openKeys>>
  let through: Awaited<ReturnType<typeof openKeys>>

  beforeAll(async () => {
    const url = await urls[kind]()
    proxy = await cutProxy(url)
    database = await openKeys(url)
    through = await openKeys(proxy.url)
  }, timeout)

  afterAll(async () => {
    await Promise.race([through?.close(), new Promise((resolve) => setTimeout(resolve, 1_000))])
    await database?.close()
    await proxy?.close()
  }, timeout)

  /** Sends a batch of 100 whose commit is cut; tells the answer, and how many of the keys are there. */
  const send = async (cut: Parameters<CutProxy["cutNext"]>[0], prefix: string, attempts?: number) => {
    const isHopeless = cut === "lost" || cut === "silent"
    const endpoint = addEndpoint(through, {
      transactions: { commitTimeout: "1 second", attempts, ...(isHopeless && { outcomeTimeout: 1_500 }) },
    })
    proxy.cutNext(cut)
    const answer = await endpoint.send({ atomic: true, operations: each("add", keysFrom(prefix)) })
    await endpoint.close()
    return { ...answer, there: (await keysIn(database.db)).filter((key) => key.startsWith(`${prefix}-`)).length }
  }

  it(
    "is reported as done if it was done, and not repeated",
    async () => {
      expect(await send("after", "after")).toMatchObject({ status: 200, there: 100 })
    },
    timeout,
  )

  it(
    "is retried if it never arrived, and done once",
    async () => {
      expect(await send("before", "before")).toMatchObject({ status: 200, there: 100 })
    },
    timeout,
  )

  it(
    "is reported as a conflict if it never arrived and must not be retried",
    async () => {
      expect(await send("before", "once", 1)).toMatchObject({ status: 409, code: "CONFLICT", there: 0 })
    },
    timeout,
  )

  it(
    "is unknown if the database is unreachable",
    async () => {
      expect(await send("lost", "lost")).toMatchObject({ status: 503, code: "OUTCOME_UNKNOWN", there: 100 })
    },
    timeout,
  )

  it(
    "is unknown while the database still waits for it",
    async () => {
      expect(await send("silent", "silent")).toMatchObject({ status: 503, code: "OUTCOME_UNKNOWN", there: 0 })
    },
    timeout,
  )
})
