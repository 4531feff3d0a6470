/** The quota store of an SQL database, as a layer. */
import { QuotaStore } from "@multistatus/core/effect"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlDatabase } from "../database/SqlDatabase.ts"
import { sqlQuotaStore } from "./sqlQuotaStore.ts"

/** Keeps quotas in the database of the context. Run `migrate` on the database first. */
export const layer = (): Layer.Layer<QuotaStore, never, SqlDatabase> =>
  Layer.effect(
    QuotaStore,
    Effect.map(SqlDatabase, ({ db }) => sqlQuotaStore(db)),
  )
