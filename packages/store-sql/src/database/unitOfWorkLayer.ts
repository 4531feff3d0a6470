/** The unit of work of an SQL database, as a layer. */
import { UnitOfWork } from "@multistatus/core/effect"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { sqlUnitOfWork, type SqlUnitOfWorkOptions } from "../transactions/sqlUnitOfWork.ts"
import { SqlDatabase } from "./SqlDatabase.ts"

/** Opens the transactions of batches in the database of the context. */
export const layer = (options?: SqlUnitOfWorkOptions): Layer.Layer<UnitOfWork, never, SqlDatabase> =>
  Layer.effect(
    UnitOfWork,
    Effect.map(SqlDatabase, ({ db }) => sqlUnitOfWork(db, options)),
  )
