import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"

import { inProcessQueue } from "@multistatus/core/store"
import { sql } from "kysely"
import { afterEach, beforeEach, describe, expect, it } from "vitest"

import { migrate } from "../../src/migrations/migrate.ts"
import { type OpenedDatabase, openDatabase } from "../../src/database/openDatabase.ts"
import { soleRunner } from "../../src/jobs/soleRunner.ts"

describe("a process that runs the jobs of an SQLite file", () => {
  let directory: string
  let database: OpenedDatabase<unknown>
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "multistatus-runner-"))
    database = await openDatabase(`sqlite:${join(directory, "jobs")}`)
    await migrate(database.db, "sqlite")
  })
  afterEach(async () => {
    await database.close()
    await rm(directory, { recursive: true })
  })

  const insertRunner = (pid: number, { host = hostname(), silentMs = 0 } = {}) =>
    sql`
      insert into multistatus_job_runner values (1, 'other', ${host}, ${pid}, unixepoch() * 1000 - ${silentMs})
      on conflict (id) do update set host = excluded.host, pid = excluded.pid, heard_at = excluded.heard_at
    `.execute(database.db)
  const queue = () => soleRunner(database.db, inProcessQueue())

  it("keeps other processes from running them, with an error that names it and a solution", async () => {
    await insertRunner(process.ppid)
    await expect(queue().prepare!()).rejects.toThrow(new RegExp(`Process ${process.ppid} .*PostgreSQL or Redis`))
  })

  it("is replaced after it has closed", async () => {
    const first = queue()
    await first.prepare!()
    await first.prepare!()
    await first.close()
    expect((await sql`select * from multistatus_job_runner`.execute(database.db)).rows).toEqual([])
    const second = queue()
    await second.prepare!()
    await second.close()
  })

  it("is replaced at once after it was killed", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"])
    await insertRunner(child.pid!)
    const next = queue()
    await expect(next.prepare!()).rejects.toThrow("stands by")
    child.kill("SIGKILL")
    await once(child, "exit")
    await next.prepare!()
    await next.close()
  })

  it("is replaced at once by a process with the same pid, as in a container that was restarted", async () => {
    await insertRunner(process.pid)
    const next = queue()
    await next.prepare!()
    await next.close()
  })

  it("is replaced after ten seconds without a sign of life if it is on another host", async () => {
    await insertRunner(1, { host: "elsewhere", silentMs: 8_000 })
    const next = queue()
    await expect(next.prepare!()).rejects.toThrow("on elsewhere")
    await insertRunner(1, { host: "elsewhere", silentMs: 11_000 })
    await next.prepare!()
    await next.close()
  })
})
