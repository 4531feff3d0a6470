/** A queue of refs on pg-boss, in the database of the jobs. */
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
import { OutageReport } from "./OutageReport.ts"
import { pgBossConsumer } from "./pgBossConsumer.ts"
import { pgBossTransaction } from "./pgBossTransaction.ts"

/** Options of the queue. */
export interface PgBossOptions {
  /** The schema of the tables of pg-boss, which creates it when it starts. Default `multistatus_jobs`. */
  readonly schema?: string | undefined
  /** Name of the queue. Default `chunks`. */
  readonly name?: string | undefined
  /**
   * Time without a heartbeat after which a worker counts as dead, in whole seconds. Default `"10 seconds"`, which is the
   * minimum of pg-boss. The process that opens the queue last decides.
   */
  readonly heartbeat?: DurationInput | undefined
  /** Maximum number of connections in the pool of pg-boss. Default 4. */
  readonly maxConnections?: number | undefined
  /** Called with errors outside of any call, such as a lost connection. Default: a warning of the process. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** Reports an error as a process warning. @internal */
export const emitWarning = (error: unknown): void =>
  process.emitWarning(String(error instanceof Error ? error.message : error), "MultistatusWarning")

const page = "jobs.md"

const pgBossOptions = {
  schema: { type: text(), default: "multistatus_jobs", page },
  name: { type: text(), default: "chunks", page },
  heartbeat: { type: duration({ minimum: 10_000 }), default: "10 seconds", page },
  maxConnections: { type: wholeNumber(), default: 4, page },
  onError: { type: anyFunction(), default: emitWarning, page },
} satisfies OptionGroup<PgBossOptions>

/** An instance of `@electric-sql/pglite`, version 0.5 or later. */
export interface PgliteLike {
  readonly query: (text: string, parameters?: Array<unknown>) => Promise<{ rows: Array<unknown> }>
  readonly exec: (text: string) => Promise<Array<{ rows: Array<unknown> }>>
}

/** Whether an error of PostgreSQL says that a table, a function or a schema does not exist. */
const isMissingSchema = (error: unknown): boolean =>
  ["42P01", "42883", "3F000"].includes(String((error as { readonly code?: unknown } | null)?.code))

/** Time limit for a chunk, in seconds: jobs have no deadline, and heartbeats show that a worker lives. */
const chunkSeconds = 23 * 3600

/**
 * Makes a queue on pg-boss 12, which is an optional peer: `npm install pg-boss`. `connection` is a URL of PostgreSQL or, for
 * tests, the instance of PGlite that contains the jobs, which the caller closes after the queue.
 *
 * **Details** pg-boss connects when the first ref is enqueued or the first worker starts. Then it creates its tables, for which
 * the role of the URL needs the right, or a deployment step that runs the migrations of pg-boss. Refs are enqueued, and
 * deliveries completed, in a transaction of Kysely if there is one. LISTEN wakes workers; where that does not work, such as
 * behind PgBouncer in transaction mode, they poll once a second. If a worker has sent no heartbeat for `heartbeat`, its
 * chunk is redelivered at once, at most three times. If a handler rejects, the chunk is redelivered after a growing delay, at most
 * three times. A worker fetches one ref more than it runs at once, and returns it when it closes.
 *
 * **Gotchas** A handler that blocks the event loop for longer than `heartbeat` is thought dead, and its chunk is
 * redelivered to another worker while it runs.
 *
 * Errors of pg-boss that repeat are reported once, and counted when they have ended. If its schema is dropped while workers run,
 * it is created again.
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
    boss.on("error", (error) => {
      report.add(error)
      if (isMissingSchema(error)) void recreate()
    })
    try {
      await boss.start()
      await boss.createQueue(dead)
      const kept = { deleteAfterSeconds: 3600, retentionSeconds: 8 * 86_400, heartbeatSeconds }
      await boss.createQueue(name, {
        ...kept,
        notify: true,
        expireInSeconds: chunkSeconds,
        // For workers that died or closed. Rejected refs are inserted again by the consumer.
        retryLimit: 3,
        deadLetter: dead,
      })
      await boss.updateQueue(name, { heartbeatSeconds })
      return boss
    } catch (error) {
      // Otherwise it would keep running, with its connections.
      await boss.stop({ graceful: false }).catch(() => undefined)
      throw error
    }
  }

  const report = new OutageReport({ onError })
  let opening: Promise<PgBoss> | undefined
  let isClosed = false

  // Another instance creates the schema and the queues again; then the workers of the first find them. Chunks whose refs are
  // lost are found as overdue.
  let recreating: Promise<void> | undefined
  const recreate = (): Promise<void> | undefined => {
    if (isClosed || recreating !== undefined) return recreating
    const create = async () => {
      await (await open()).stop({ graceful: false })
      onError(new Error(`The schema "${schema}" of pg-boss was missing, and was created again`))
    }
    recreating = create()
      .catch(report.add)
      .finally(() => (recreating = undefined))
    return recreating
  }

  const opened = async (): Promise<PgBoss> => {
    if (isClosed) throw new Error("The queue is closed: refs cannot be enqueued any more")
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
      // pg-boss ignores ids that it has, but not ids that are twice in one call.
      const unique = new Map(jobs.map((job) => [job.id, job]))
      await boss.insert(
        name,
        [...unique.values()],
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
      await recreating
      report.close()
      const boss = await opening?.catch(() => undefined)
      opening = undefined
      await boss?.stop({ graceful: false })
    },
  }
}
