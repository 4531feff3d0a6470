import { freshDatabase } from "@multistatus/test-services"
import { openDatabase, migrate } from "@multistatus/store-sql"
import { startRedis } from "@multistatus/test-services"
import { inject, it } from "vitest"
import { hammering } from "./hammering.ts"

it("for ten seconds, four processes on one Redis admit exactly what the quota has", async () => {
  await using redis = await startRedis()
  await hammering(redis.url, 10_000)
})

it("for ten seconds, four processes on one PostgreSQL admit exactly what the quota has", async () => {
  const url = await freshDatabase(inject("postgresUrl"))
  const { db, dialect, close } = await openDatabase<unknown>(url)
  await migrate(db, dialect)
  await close()
  await hammering(url, 10_000)
})
