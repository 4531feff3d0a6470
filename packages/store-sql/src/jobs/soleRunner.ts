/** Lets only one process run the jobs of an SQLite file, because its queue is in the memory of that process. */
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"

import type { ChunkQueue } from "@multistatus/core/store"
import { type Kysely, sql } from "kysely"

/** Milliseconds without a sign of life after which a process is thought dead. */
const silentMs = 10_000

/** Interval between two signs of life, in milliseconds. */
const aliveMs = 1000

interface Runner {
  readonly owner: string
  readonly host: string
  readonly pid: number
  /** Milliseconds since its last sign of life. */
  readonly silent: number
}

/**
 * Wraps a queue so that `prepare` rejects while another process runs the jobs of the same file. It succeeds after the other
 * process has closed the queue or died.
 *
 * @internal
 */
export const soleRunner = <DB>(db: Kysely<DB>, queue: ChunkQueue): ChunkQueue => {
  const plain = db.withoutPlugins()
  const owner = randomUUID()
  let alive: ReturnType<typeof setInterval> | undefined

  const claim = () =>
    plain.transaction().execute(async (handle) => {
      const { rows } = await sql<Runner>`
        select owner, host, pid, ${now} - heard_at as silent from multistatus_job_runner where id = 1
      `.execute(handle)
      const [other] = rows
      if (other !== undefined && other.owner !== owner && isAlive(other)) return other
      await sql`
        insert into multistatus_job_runner (id, owner, host, pid, heard_at)
        values (1, ${owner}, ${hostname()}, ${process.pid}, ${now})
        on conflict (id) do update set owner = excluded.owner, host = excluded.host, pid = excluded.pid,
          heard_at = excluded.heard_at
      `.execute(handle)
      return undefined
    })

  // An error does not matter: the next sign of life may succeed, and if another process takes over, it ends the holds of this one.
  const keepAlive = async (): Promise<void> => {
    await sql`update multistatus_job_runner set heard_at = ${now} where id = 1 and owner = ${owner}`
      .execute(plain)
      .catch(() => undefined)
  }

  return {
    ...queue,
    prepare: async () => {
      const other = await claim()
      if (other !== undefined) {
        throw new Error(
          `Process ${other.pid} on ${other.host} runs the jobs of this SQLite file, and this process stands by, because only one ` +
            "process can run them. To run jobs in several processes, store them in PostgreSQL or Redis",
        )
      }
      alive ??= setInterval(() => void keepAlive(), aliveMs)
      // The timer must not keep the process alive.
      alive.unref()
    },
    close: async () => {
      clearInterval(alive)
      alive = undefined
      await queue.close()
      await sql`delete from multistatus_job_runner where owner = ${owner}`.execute(plain).catch(() => undefined)
    },
  }
}

const now = sql`cast(unixepoch('now', 'subsec') * 1000 as integer)`

// A process with the pid of this one is a former one: the first process of a container always has the same pid.
const isAlive = ({ host, pid, silent }: Runner): boolean => {
  if (silent >= silentMs) return false
  if (host !== hostname()) return true
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { readonly code?: unknown }).code === "EPERM"
  }
}
