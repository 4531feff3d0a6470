/** A server whose operations each leave a row in a table without keys: what was done twice is there twice. */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { createServer } from "node:http"

import { expressBatch } from "@multistatus/adapter-express"
import { fastifyBatch } from "@multistatus/adapter-fastify"
import { type BatchOptions, resource } from "@multistatus/core"
import { joinTransactions, sqlUnitOfWork } from "@multistatus/store-sql"
import express from "express"
import Fastify from "fastify"
import { type Kysely, sql } from "kysely"
import * as z from "zod"

/** The database of such a server. */
export interface Effects {
  readonly effects: { readonly name: string }
}

export const createTable = (db: Kysely<Effects>) => sql`create table effects (name varchar(255) not null)`.execute(db)

/** The names of effects, in order; twice what happened twice. */
export const namesIn = async (db: Kysely<Effects>): Promise<ReadonlyArray<string>> =>
  (await db.selectFrom("effects").select("name").orderBy("name").execute()).map(({ name }) => name)

export interface EffectAppOptions extends Pick<BatchOptions, "concurrency" | "idempotency" | "limits"> {
  readonly db: Kysely<Effects>
  /** What is done beside leaving a row: before and after that. */
  readonly before?: (name: string) => unknown
  readonly after?: (name: string) => unknown
}

export interface EffectApp {
  readonly origin: string
  readonly close: () => Promise<void>
}

/** Serves batches of `add` at `/effects/batch`. */
export const startEffectApp = async (
  framework: "express" | "fastify",
  { db, before, after, ...options }: EffectAppOptions,
): Promise<EffectApp> => {
  const joined = joinTransactions(db)
  const effects = resource("effects", {
    add: {
      identified: false,
      input: z.object({ name: z.string() }),
      run: async ({ name }) => {
        await before?.(name)
        await joined.insertInto("effects").values({ name }).execute()
        await after?.(name)
        return { name }
      },
    },
  })
  const all = { tenant: () => "client", unitOfWork: sqlUnitOfWork(db), onUnexpected: () => {}, ...options }
  const clientStrategies = ["atomic"] as const
  if (framework === "express") {
    const app = express()
    app.post("/effects/batch", expressBatch(all).operations(effects, { clientStrategies }))
    const server = createServer(app).listen(0, "127.0.0.1")
    await once(server, "listening")
    return {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      close: async () => {
        server.closeAllConnections()
        server.close()
        await once(server, "close")
      },
    }
  }
  const app = Fastify({ forceCloseConnections: true })
  await app.register(fastifyBatch, all)
  app.batch.operations("/effects/batch", effects, { clientStrategies })
  const origin = await app.listen({ port: 0, host: "127.0.0.1" })
  return { origin, close: () => app.close() }
}
