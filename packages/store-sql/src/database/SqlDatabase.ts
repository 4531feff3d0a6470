/** The service of an open database. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type OpenDatabaseOptions, openDatabase, type OpenedDatabase } from "./openDatabase.ts"

/** The database could not be opened. */
export class SqlDatabaseError extends Data.TaggedError("SqlDatabaseError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/** An open database, and the URL that it was opened with. */
export class SqlDatabase extends Context.Service<
  SqlDatabase,
  OpenedDatabase<unknown> & {
    readonly url: string
  }
>()("@multistatus/store-sql/SqlDatabase") {
  /** Opens the database of a URL. Closing the scope of the layer closes all connections. */
  static readonly layer = (url: string, options?: OpenDatabaseOptions): Layer.Layer<SqlDatabase, SqlDatabaseError> =>
    Layer.effect(
      SqlDatabase,
      Effect.map(acquireDatabase(url, options), (database) => ({ ...database, url })),
    )
}

/** Opens a database, and closes it with the scope. */
export const acquireDatabase = (url: string, options?: OpenDatabaseOptions) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => openDatabase<unknown>(url, options),
      catch: (cause) =>
        new SqlDatabaseError({ message: cause instanceof Error ? cause.message : String(cause), cause }),
    }),
    ({ close }) => Effect.promise(close),
  )
