/** The idempotency store of an SQL database, as a layer. */
import { IdempotencyStore } from "@multistatus/core/effect"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { acquireDatabase, SqlDatabase, type SqlDatabaseError } from "../database/SqlDatabase.ts"
import { sqlIdempotencyStore } from "./sqlIdempotencyStore.ts"

/** Connections for claims and their heartbeats. */
const claimConnections = 2

/**
 * Keeps idempotency keys and results in the database of the context. Run `migrate` on the database first.
 *
 * **Details** Claims have a pool of two connections of their own, which closes with the scope of the layer. SQLite and PGlite,
 * which have one connection, share it.
 */
export const layer = (): Layer.Layer<IdempotencyStore, SqlDatabaseError, SqlDatabase> =>
  Layer.effect(
    IdempotencyStore,
    Effect.gen(function* () {
      const { db, url, maxConnections } = yield* SqlDatabase
      if (maxConnections === 1) return sqlIdempotencyStore(db)
      const claims = yield* acquireDatabase(url, { maxConnections: claimConnections })
      return sqlIdempotencyStore(db, { claims: claims.db })
    }),
  )
