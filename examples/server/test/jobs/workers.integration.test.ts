import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { freshDatabase } from "@multistatus/test-services"
import { expect, inject, it } from "vitest"
import { Api } from "../batch/Api.ts"
import { startServer } from "../batch/ServerProcess.ts"
import { creates, ended, submit } from "./asking.ts"

const startWorker = async (environment: Readonly<Record<string, string>>) => {
  const worker = spawn(process.execPath, [join(import.meta.dirname, "../../src/worker.ts")], {
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const exited = once(worker, "exit")
  const said = text(worker.stderr)
  await Promise.race([once(worker.stdout, "data"), exited])
  return { worker, exited, said }
}

it("a worker runs the jobs that servers have taken, also when they are gone", { timeout: 60_000 }, async () => {
  const environment = { DATABASE_URL: await freshDatabase(inject("postgresUrl")), JOB_CHUNK: "100" }
  const first = await startServer("fastify", environment)
  const api = new Api(first.origin)
  const { location } = await submit(api, creates(3000, "worker"))
  first.kill("SIGKILL")
  await first.ended
  api.close()
  const { worker, exited } = await startWorker(environment)
  const second = await startServer("express", environment)
  const again = new Api(second.origin)
  expect(await ended(again, location)).toMatchObject({ completed: 3000 })
  worker.kill("SIGTERM")
  expect(await exited).toEqual([0, null])
  again.close()
  await second.stop()
})

it("a worker that nobody could share its jobs with says what to set", async () => {
  const { exited, said } = await startWorker({})
  expect(await exited).toEqual([1, null])
  expect(await said).toContain("set REDIS_URL")
})
