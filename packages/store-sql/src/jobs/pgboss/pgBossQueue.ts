/**
 * Refs of chunks in a queue of pg-boss, in the database that the jobs are in.
 */
import {
  anyFunction,
  checkOptions,
  type ChunkQueue,
  duration,
  type DurationInput,
  type OptionGroup,
  settingsOf,
  text,
  wholeNumber,
} from "@multistatus/core/store"
import type * as Boss from "pg-boss"
import type { PgBoss } from "pg-boss"

import * as ChunkJob from "./ChunkJob.ts"
import { loadDriver } from "../../database/loadDriver.ts"
import { pgBossConsumer } from "./pgBossConsumer.ts"
import { pgBossTransaction } from "./pgBossTransaction.ts"

/** How a queue of pg-boss is kept. */
export interface PgBossOptions {
  /** The schema that pg-boss keeps its tables in; it makes it when it starts. Default `multistatus_jobs`. */
  readonly schema?: string | undefined
  /** Name of the queue. Default `chunks`. */
  readonly name?: string | undefined
  /**
   * How long a worker may stay silent before it counts as dead, in whole seconds. pg-boss takes no less than the default,
   * `"10 seconds"`. Whoever opens the queue last decides.
   */
  readonly heartbeat?: DurationInput | undefined
  /** Connections of pg-boss's own pool. Default 4. */
  readonly maxConnections?: number | undefined
  /** Told of broken connections and the like. Default: a warning of the process. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** Reports an error as a process warning. @internal */
export const emitWarning = (error: unknown): void =>
  process.emitWarning(error instanceof Error ? error : String(error), "MultistatusWarning")

const page = "jobs.md"

const pgBossOptions = {
  schema: { type: text(), default: "multistatus_jobs", page },
  name: { type: text(), default: "chunks", page },
  heartbeat: { type: duration({ minimum: 10_000 }), default: "10 seconds", page },
  maxConnections: { type: wholeNumber(), default: 4, page },
  onError: { type: anyFunction(), default: emitWarning, page },
} satisfies OptionGroup<PgBossOptions>

/** What is needed of an instance of `@electric-sql/pglite`, version 0.5 or later. */
export interface PgliteLike {
  readonly query: (text: string, parameters?: Array<unknown>) => Promise<{ rows: Array<unknown> }>
  readonly exec: (text: string) => Promise<Array<{ rows: Array<unknown> }>>
}

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
 * `heartbeat`, at once and three times at most; one that rejects after a growing pause, three times as well. A worker
 * fetches one ref more than it runs at once, and gives it back when it closes.
 *
 * **Gotchas** A handler that keeps the event loop busy for longer than `heartbeat` is thought dead, and its chunk
 * delivered to another worker as well.
 */
export const pgBossQueue = (connection: string | PgliteLike, options: PgBossOptions = {}): ChunkQueue => {
  checkOptions(pgBossOptions, options)
  const { schema, name, heartbeatMs, maxConnections, onError } = settingsOf(pgBossOptions, options)
  const heartbeatSeconds = Math.ceil(heartbeatMs / 1000)
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
    try {
      await boss.start()
      await boss.createQueue(dead)
      const kept = { deleteAfterSeconds: 3600, retentionSeconds: 8 * 86_400, heartbeatSeconds }
      await boss.createQueue(name, {
        ...kept,
        notify: true,
        expireInSeconds: longestSeconds,
        // Of workers that died, or closed: those that rejected make a pause of their own.
        retryLimit: 3,
        deadLetter: dead,
      })
      await boss.updateQueue(name, { heartbeatSeconds })
      return boss
    } catch (error) {
      // It would go on by itself, with its connections.
      await boss.stop({ graceful: false }).catch(() => undefined)
      throw error
    }
  }

  let opening: Promise<PgBoss> | undefined
  let isClosed = false
  const opened = async (): Promise<PgBoss> => {
    if (isClosed) throw new Error("The queue was closed")
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
      const jobs = refs.map((ref) => ChunkJob.make(ref, { delayMs }))
      // pg-boss passes over ids that it has, but not over those that come twice in one call.
      const once = new Map(jobs.map((job) => [job.id, job]))
      await boss.insert(
        name,
        [...once.values()],
        transaction === undefined ? {} : { db: pgBossTransaction(transaction) },
      )
    },
    consume: async (handlers, concurrency) => {
      const boss = await opened()
      return pgBossConsumer({ boss, name, dead, handlers, concurrency, onError })
    },
    forget: async (refs) => {
      if (refs.length > 0) await (await opened()).deleteJob(name, refs.flatMap(ChunkJob.ids))
    },
    close: async () => {
      isClosed = true
      const boss = await opening?.catch(() => undefined)
      opening = undefined
      await boss?.stop({ graceful: false })
    },
  }
}
