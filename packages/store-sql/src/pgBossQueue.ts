/**
 * Refs of chunks in a queue of pg-boss, in the database that the jobs are in.
 */
import { createHash } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"

import type { ChunkConsumer, ChunkHandlers, ChunkQueue, ChunkRef } from "@multistatus/core"
import { CompiledQuery, type Kysely } from "kysely"
import type * as Boss from "pg-boss"
import type { Job, JobInsert, PgBoss } from "pg-boss"

import { loadDriver } from "./loadDriver.ts"

/**
 * How a queue of pg-boss is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgBossOptions {
  /** The schema that pg-boss keeps its tables in; it makes it when it starts. Default `multistatus_jobs`. */
  readonly schema?: string | undefined
  /** Name of the queue. Default `chunks`. */
  readonly name?: string | undefined
  /** Seconds after which a worker that was not heard of is thought dead. Default 10, the least that pg-boss takes. */
  readonly heartbeatSeconds?: number | undefined
  /** Connections of pg-boss's own pool. Default 4. */
  readonly maxConnections?: number | undefined
  /** Told of broken connections and the like. Default: a warning of the process. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/**
 * What is needed of an instance of `@electric-sql/pglite`, version 0.5 or later.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgliteLike {
  readonly query: (text: string, parameters?: Array<unknown>) => Promise<{ rows: Array<unknown> }>
  readonly exec: (text: string) => Promise<Array<{ rows: Array<unknown> }>>
}

/** Milliseconds that handlers have once they were told to stop. */
const graceMs = 1000

/** Seconds that a chunk may take: jobs have no deadline, and a worker that lives is heard of. */
const longestSeconds = 23 * 3600

/**
 * Makes a queue on pg-boss 12, which is an optional peer: `npm install pg-boss`. On PostgreSQL, or on an instance of PGlite
 * that the jobs are in too, for tests: it stays the caller's, to be closed after the queue.
 *
 * **Details** pg-boss connects when the first ref is sent or the first worker starts, and creates its tables then: the role
 * of the URL needs the right to, or a deploy step that runs pg-boss's migrations. Refs are sent in the transaction of Kysely
 * that is handed in, and completed in one. Workers are woken by LISTEN, and look once a second where that does not work, as
 * behind PgBouncer in transaction mode. A chunk whose worker died is delivered again when it was not heard of for
 * `heartbeatSeconds`, three times at most; one that rejects after a growing pause. A worker fetches one ref more than it runs
 * at once, and gives it back when it closes.
 *
 * **Gotchas** A handler that keeps the event loop busy for longer than `heartbeatSeconds` is thought dead, and its chunk
 * delivered to another worker as well.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pgBossQueue = (connection: string | PgliteLike, options: PgBossOptions = {}): ChunkQueue => {
  const { schema = "multistatus_jobs", name = "chunks", heartbeatSeconds = 10, maxConnections = 4 } = options
  const onError =
    options.onError ??
    ((error: unknown) => process.emitWarning(error instanceof Error ? error : String(error), "MultistatusWarning"))
  const dead = `${name}_dead`
  let loading: Promise<typeof Boss> | undefined
  const load = () => (loading ??= loadDriver("pg-boss", "PostgreSQL (with jobs)", () => import("pg-boss")))

  const open = async (): Promise<PgBoss> => {
    const { PgBoss, fromPglite } = await load()
    const settings = { schema, monitorIntervalSeconds: 1, superviseIntervalSeconds: 1 }
    const boss =
      typeof connection === "string"
        ? new PgBoss({
            ...settings,
            connectionString: connection,
            max: maxConnections,
            application_name: "multistatus jobs",
            useListenNotify: true,
          })
        : new PgBoss({ ...settings, db: fromPglite(connection as Parameters<typeof fromPglite>[0]), backend: "pglite" })
    boss.on("error", onError)
    await boss.start()
    await boss.createQueue(dead)
    const kept = { deleteAfterSeconds: 3600, retentionSeconds: 8 * 86_400 }
    await boss.createQueue(name, {
      ...kept,
      notify: true,
      heartbeatSeconds,
      expireInSeconds: longestSeconds,
      retryLimit: 3,
      retryDelay: 1,
      retryBackoff: true,
      deadLetter: dead,
    })
    return boss
  }

  let opening: Promise<PgBoss> | undefined
  const opened = async (): Promise<PgBoss> => {
    opening ??= open()
    try {
      return await opening
    } catch (error) {
      opening = undefined
      throw error
    }
  }

  return {
    isVolatile: false,
    isTransactional: true,
    enqueue: async (refs, { delayMs = 0, transaction } = {}) => {
      if (refs.length === 0) return
      const boss = await opened()
      const startAfter = delayMs > 0 ? { startAfter: Math.ceil(delayMs / 1000) } : {}
      // pg-boss passes over ids that it has, but not over those that come twice in one call.
      const once = new Map(refs.map((ref) => [idOf(ref), ref]))
      const jobs = [...once].map(([id, ref]): JobInsert => ({ id, data: { ...ref }, ...startAfter }))
      await boss.insert(name, jobs, transaction === undefined ? {} : { db: within(transaction) })
    },
    consume: async (handlers, concurrency) => {
      const boss = await opened()
      return consume({ boss, name, dead, handlers, concurrency })
    },
    forget: async (refs) => {
      if (refs.length > 0) await (await opened()).deleteJob(name, refs.map(idOf))
    },
    close: async () => {
      const boss = await opening?.catch(() => undefined)
      opening = undefined
      await boss?.stop({ graceful: false })
    },
  }
}

interface Consuming {
  readonly boss: PgBoss
  readonly name: string
  readonly dead: string
  readonly handlers: ChunkHandlers
  readonly concurrency: number
}

const consume = async ({ boss, name, dead, handlers, concurrency }: Consuming): Promise<ChunkConsumer> => {
  const stopping = new AbortController()
  const running = new Map<Promise<unknown>, string>()
  const slots: Array<string> = []
  const polling = { pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 1, batchSize: 1 }
  const turns = makeTurns(concurrency)

  const run = async (job: Job<ChunkRef>): Promise<void> => {
    // Rejecting gives it back to the queue.
    await turns.enter()
    const work = handlers.run({
      ref: job.data,
      signal: AbortSignal.any([job.signal, stopping.signal]),
      complete: async (transaction) => {
        await boss.complete(name, job.id, null, { db: within(transaction) })
      },
    })
    running.set(work, job.id)
    try {
      await work
    } finally {
      running.delete(work)
      turns.leave()
      // There may be more: a worker that has just ended a chunk would look again only after its interval.
      for (const slot of slots) setImmediate(() => stopping.signal.aborted || boss.notifyWorker(slot))
    }
  }

  // One more than run at once: the next ref is fetched while others run, and waits for its turn.
  for (let slot = 0; slot <= concurrency; slot++) {
    slots.push(
      await boss.work<ChunkRef>(name, polling, async ([job]) => {
        if (job !== undefined) await run(job)
      }),
    )
  }
  const burying = await boss.work<ChunkRef>(dead, polling, async ([job]) => {
    if (job !== undefined) await handlers.dead(job.data)
  })

  return {
    close: async (timeoutMs) => {
      turns.close()
      await Promise.all(slots.map((id) => boss.offWork(name, { id, wait: false })))
      await boss.offWork(dead, { id: burying, wait: false })
      const ended = Promise.allSettled(running.keys())
      await Promise.race([ended, delay(timeoutMs, undefined, { ref: false })])
      stopping.abort()
      await Promise.race([ended, delay(graceMs, undefined, { ref: false })])
      // As long as this process lives it is heard of, and so would be what it has given up.
      for (const id of running.values()) await boss.fail(name, id, closed())
    },
  }
}

/** Lets so many run at once, in the order they came. */
const makeTurns = (concurrency: number) => {
  const waiting: Array<PromiseWithResolvers<void>> = []
  let free = concurrency
  let isClosed = false
  return {
    enter: async (): Promise<void> => {
      if (isClosed) throw closed()
      if (free > 0) free--
      else await waiting[waiting.push(Promise.withResolvers()) - 1]!.promise
    },
    leave: (): void => {
      const next = waiting.shift()
      if (next === undefined) free++
      else next.resolve()
    },
    close: (): void => {
      isClosed = true
      for (const { reject } of waiting.splice(0)) reject(closed())
    },
  }
}

const closed = () => new Error("Its worker was closed")

// What `fromKysely` of pg-boss does; and its texts, which are the same for every chunk, are planned once.
const within = (transaction: unknown): NonNullable<NonNullable<Parameters<PgBoss["complete"]>[3]>["db"]> => ({
  executeSql: async (text: string, values: ReadonlyArray<unknown> = []) => {
    const query = CompiledQuery.raw(`/* multistatus prepare */ ${text}`, [...values])
    const { rows } = await (transaction as Kysely<unknown>).withoutPlugins().executeQuery(query)
    return { rows: [...rows] }
  },
})

// pg-boss takes UUIDs alone: one that is the same for the same ref (RFC 9562, version 8).
const idOf = ({ job, chunk, dispatch }: ChunkRef): string => {
  const hex = createHash("sha256").update(`${job}-${chunk}-${dispatch}`).digest("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
