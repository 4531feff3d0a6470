/** Jobs whose effects are counted: every call of a handler is a row of a table without unique keys. */
import { createBatch } from "@multistatus/core/adapter"
import { resource } from "@multistatus/core"
import { checkRedis, redisClient, redisJobs } from "@multistatus/store-redis"
import { openDatabase, sqlJobs, sqlUnitOfWork } from "@multistatus/store-sql"
import { sql } from "kysely"

/** Where the jobs are kept, and where their effects are. */
export interface EffectsOptions {
  readonly databaseUrl: string
  /** Undefined for jobs in the database. */
  readonly redisUrl: string | undefined
  readonly workers: number
  readonly exactlyOnce: boolean
  /** Whether what it sends to the queue first does not arrive, as if it had died just before. */
  readonly losesFirst?: boolean
}

/** Endpoints that have effects; `poison` ends the process that runs it. */
export const openEffects = async (options: EffectsOptions) => {
  const { databaseUrl, redisUrl, workers, exactlyOnce, losesFirst = false } = options
  const { db, dialect, close } = await openDatabase<unknown>(databaseUrl, { maxConnections: 10 })
  const client = redisUrl === undefined ? undefined : redisClient(redisUrl)
  client?.on("error", () => {})
  if (client !== undefined) await checkRedis(client, { warn: () => {} })
  const onError = () => {}
  const { store, queue } =
    client === undefined ? sqlJobs({ db, dialect }, databaseUrl, { onError }) : redisJobs({ client, onError })
  let lost = losesFirst ? 0 : 1
  const enqueue: typeof queue.enqueue = async (...given) => {
    if (lost++ > 0) await queue.enqueue(...given)
  }
  const engine = { store, queue: { ...queue, enqueue } }
  const batch = createBatch({
    unitOfWork: sqlUnitOfWork(db),
    // With one at a time, chunks would follow each other, and half of the workers have nothing to lose.
    concurrency: 2,
    jobs: { engine, workers, exactlyOnce, chunkOperations: 250, window: 8, onError },
  })
  const effects = resource("effects", {
    add: {
      identified: false,
      run: async ({ n }: { readonly n: number }, { tx }) => {
        await sql`insert into effects (n) values (${n})`.execute(exactlyOnce ? (tx as typeof db) : db)
        return { id: String(n) }
      },
    },
    poison: { identified: false, run: () => process.exit(9) },
  })
  const endpoint = batch.operations(effects)
  return {
    db,
    batch,
    endpoint,
    close: async () => {
      await batch.close()
      client?.disconnect()
      await close()
    },
  }
}
