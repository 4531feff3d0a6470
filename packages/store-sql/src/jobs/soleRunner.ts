/**
 * One process at a time that runs the jobs of an SQLite file: what is due is known to that process alone.
 */
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"

import type { ChunkQueue } from "@multistatus/core/store"
import { type Kysely, sql } from "kysely"

/** Milliseconds after which a process that was not heard of is thought dead. */
const silentMs = 10_000

/** Milliseconds between two signs of life. */
const signMs = 1000

interface Runner {
  readonly owner: string
  readonly host: string
  readonly pid: number
  readonly silent: number
}

/**
 * Keeps a queue from serving this process while another runs jobs of the same file. It may once the other has closed the
 * queue or died.
 *
 * @internal
 */
export const soleRunner = <DB>(db: Kysely<DB>, queue: ChunkQueue): ChunkQueue => {
  const plain = db.withoutPlugins()
  const owner = randomUUID()
  let signs: ReturnType<typeof setInterval> | undefined

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

  const sign = async (): Promise<void> => {
    // The next one may get through; and whoever takes over meanwhile runs chunks under epochs of its own.
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
          `Process ${other.pid} on ${other.host} runs the jobs of this SQLite file, and one process can: this one stands by. ` +
            "For several processes, keep jobs in PostgreSQL or Redis",
        )
      }
      signs ??= setInterval(() => void sign(), signMs)
      // It must not keep a process alive that has nothing else to do.
      signs.unref()
    },
    close: async () => {
      clearInterval(signs)
      signs = undefined
      await queue.close()
      await sql`delete from multistatus_job_runner where owner = ${owner}`.execute(plain).catch(() => undefined)
    },
  }
}

const now = sql`cast(unixepoch('now', 'subsec') * 1000 as integer)`

// The same number is that of a process before this one, as the first process of a container has it always.
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
