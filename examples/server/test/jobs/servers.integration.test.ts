/** Jobs of several servers on one Redis, and of servers that are killed. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freshDatabase, startRedis } from "@multistatus/test-services"
import { expect, inject, it } from "vitest"
import { Api } from "../batch/Api.ts"
import { startServer } from "../batch/ServerProcess.ts"
import { creates, ended, results, submit } from "./asking.ts"

it("servers that share a store answer for each other's jobs and run them", { timeout: 60_000 }, async () => {
  await using redis = await startRedis()
  const environment = {
    REDIS_URL: redis.url,
    DATABASE_URL: await freshDatabase(inject("postgresUrl")),
    JOB_CHUNK: "50",
  }
  const [one, two] = [await startServer("express", environment), await startServer("fastify", environment)]
  const [first, second] = [new Api(one.origin), new Api(two.origin)]
  const { location } = await submit(first, creates(800, "shared"))
  expect(await ended(second, location)).toMatchObject({ status: "succeeded", succeeded: 800 })
  expect(await results(second, location)).toEqual(await results(first, location))
  const other = await submit(second, creates(800, "more"))
  await one.stop()
  expect(await ended(second, other.location)).toMatchObject({ status: "succeeded", succeeded: 800 })
  first.close()
  second.close()
  await two.stop()
})

it("a job survives a server that is killed right after it accepted it", { timeout: 90_000 }, async () => {
  await using redis = await startRedis({ durable: true })
  const directory = await mkdtemp(join(tmpdir(), "jobs-"))
  const environment = { REDIS_URL: redis.url, DATABASE_URL: `sqlite:${join(directory, "users.db")}`, JOB_CHUNK: "50" }
  const first = await startServer("fastify", environment)
  const api = new Api(first.origin)
  const { location } = await submit(api, creates(600, "kept"))
  first.kill("SIGKILL")
  await first.ended
  api.close()
  const second = await startServer("fastify", environment)
  const again = new Api(second.origin)
  const monitor = await ended(again, location)
  expect(monitor).toMatchObject({ completed: 600 })
  // What was done before the kill, and not kept, is done again: there the email is taken.
  const names = (await again.names()).filter((name) => name.startsWith("kept "))
  expect(new Set(names).size).toBe(600)
  expect(names).toHaveLength(600)
  expect(monitor.failed).toBeLessThanOrEqual(4 * 50)
  again.close()
  await second.stop()
  await rm(directory, { recursive: true })
})
