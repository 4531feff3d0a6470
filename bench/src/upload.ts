/**
 * Memory of the reference server while it accepts and runs a job of a million operations of NDJSON, above its memory when
 * idle. It runs with the flags of `pnpm start`, which make Node collect garbage early; by default Node lets the heap grow while
 * there is free memory.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Readable } from "node:stream"
import { setTimeout as delay } from "node:timers/promises"

import { startPostgres } from "@multistatus/test-services"
import { request } from "undici"

const total = Number(process.argv[2] ?? 1_000_000)

const flags = ["--max-semi-space-size=8", "--heap-growing-percent=50"]

const main = createRequire(import.meta.url).resolve("@multistatus/example-server/main")

const start = async (databaseUrl: string) => {
  const env = {
    ...process.env,
    PORT: "0",
    DATABASE_URL: databaseUrl,
    MAX_OPERATIONS: "1000000",
    QUOTA: "100000000",
  }
  const child = spawn(process.execPath, [...flags, main], { env, stdio: ["ignore", "pipe", "inherit"] })
  const [line] = (await once(createInterface(child.stdout), "line")) as [string]
  return { child, origin: /http:\/\/\S+/.exec(line)![0] }
}

/** Resident memory, in mebibytes, as Linux counts it. */
const residentOf = ({ pid }: ChildProcess): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024

const watchPeak = (child: ChildProcess) => {
  let peak = residentOf(child)
  const timer = setInterval(() => (peak = Math.max(peak, residentOf(child))), 20)
  return () => {
    clearInterval(timer)
    return peak
  }
}

/** Operations on users that do not exist, so that the job is measured and not the table. */
const lines = function* () {
  for (let index = 0; index < total;) {
    let text = ""
    for (const end = Math.min(total, index + 500); index < end; index++) {
      text += `${JSON.stringify({ action: "update", id: `u_${index}`, data: { name: `Person ${index}`, age: index % 90 } })}\n`
    }
    yield text
  }
}

const upload = async (origin: string): Promise<string> => {
  const { statusCode, headers, body } = await request(`${origin}/api/v1/users/batch`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: Readable.from(lines()),
    headersTimeout: 0,
  })
  const text = await body.text()
  if (statusCode !== 202) throw new Error(`${statusCode}: ${text}`)
  return String(headers["location"])
}

const run = async (name: string, databaseUrl: string): Promise<void> => {
  const { child, origin } = await start(databaseUrl)
  // A first request, so that code which is loaded once is not counted.
  await (await request(`${origin}/api/v1/users`)).body.dump()
  await delay(1000)
  const idle = residentOf(child)
  const stopUpload = watchPeak(child)
  const startedAt = performance.now()
  const location = await upload(origin)
  const uploadSeconds = (performance.now() - startedAt) / 1000
  const uploadPeak = stopUpload()
  const stopRun = watchPeak(child)
  let status = ""
  while (!["succeeded", "partial", "failed"].includes(status)) {
    await delay(1000)
    status = ((await (await request(new URL(location, origin))).body.json()) as { status: string }).status
  }
  const seconds = (performance.now() - startedAt) / 1000
  const mib = (peak: number) => `${(peak - idle).toFixed(0)} MiB`
  console.log(`\n${total.toLocaleString("en")} operations, ${name}: idle at ${idle.toFixed(0)} MiB`)
  console.log(`  uploaded in ${uploadSeconds.toFixed(0)} s, peak ${mib(uploadPeak)} above idle`)
  console.log(`  completed after ${seconds.toFixed(0)} s, peak ${mib(stopRun())} above idle`)
  child.kill("SIGTERM")
  await once(child, "exit")
}

const directory = await mkdtemp(join(tmpdir(), "multistatus-"))
await run("in an SQLite file", `sqlite:${join(directory, "jobs.db")}`)
await rm(directory, { recursive: true })
const postgres = await startPostgres({ durable: true })
await run("in PostgreSQL", postgres.url)
await postgres.stop()
