/** Charges one tenant in a shared store as fast as it can, and prints how much was admitted, and between which moments. */
import { randomBytes } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"
import type { QuotaStore } from "@multistatus/core/store"
import { checkRedis, redisClient, redisQuotaStore } from "@multistatus/store-redis"
import { openDatabase, sqlQuotaStore } from "@multistatus/store-sql"

const [, , url = "", from = "", forMs = "", rule = ""] = process.argv
const { subject, ...policy } = JSON.parse(rule) as {
  readonly subject: string
  readonly policy: string
  readonly limit: number
  readonly windowMs: number
}

const open = async (): Promise<{ readonly store: QuotaStore; readonly close: () => unknown }> => {
  if (!url.startsWith("redis")) {
    const { db, close } = await openDatabase<unknown>(url, { maxConnections: 2 })
    return { store: sqlQuotaStore(db), close }
  }
  const client = redisClient(url)
  await checkRedis(client)
  return { store: redisQuotaStore(client), close: () => client.disconnect() }
}

const { store, close } = await open()
await delay(Number(from) - Date.now())
const begunAt = Date.now()
const until = begunAt + Number(forMs)
let admitted = 0

const charge = async (): Promise<void> => {
  while (Date.now() < until) {
    const demands = [{ ...policy, base: 0, runs: [{ count: 7, cost: 1000 }] }]
    const id = randomBytes(16).toString("base64url")
    const decision = await store.charge({ subject, id, minimum: 1, demands })
    admitted += decision.admitted
  }
}

await Promise.all([charge(), charge()])
console.log(JSON.stringify({ admitted, begunAt, endedAt: Date.now() }))
await close()
