/** Stores of claims on real databases, as the contract of idempotency stores wants them. */
import { randomBytes } from "node:crypto"

import type { IdempotencyStoreContract } from "@multistatus/core/testing"
import { type Kysely, sql } from "kysely"

import { migrate } from "../../src/migrations/migrate.ts"
import { openDatabase } from "../../src/database/openDatabase.ts"
import { type SqlIdempotencyStore, sqlIdempotencyStore } from "../../src/idempotency/sqlIdempotencyStore.ts"

/** A store whose records another client can reach too, and what lies under it. */
export interface Claims extends IdempotencyStoreContract.Backend {
  readonly db: Kysely<unknown>
  readonly store: SqlIdempotencyStore
  readonly other: SqlIdempotencyStore
  readonly close: () => Promise<void>
}

/** Opens a database, prepares it, and opens it once more for the other client unless it is in memory. */
export const openClaims = async (
  url: string,
  makeStore: (db: Kysely<unknown>) => SqlIdempotencyStore = (db) => sqlIdempotencyStore(db),
): Promise<Claims> => {
  const { db, dialect, close } = await openDatabase<unknown>(url)
  await migrate(db, dialect)
  const second = url.startsWith("pglite") || url.endsWith(":memory:") ? undefined : await openDatabase<unknown>(url)
  const store = makeStore(db)
  return {
    db,
    store,
    other: second === undefined ? store : makeStore(second.db),
    evict: (key) => sql`delete from multistatus_idempotency where key_hash = ${key}`.execute(db),
    transaction: (run) => db.transaction().execute((transaction) => run(transaction)),
    close: async () => {
      await second?.close()
      await close()
    },
  }
}

export const makeOwner = (): string => randomBytes(16).toString("base64url")

export const shuffled = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values
    .map((value) => ({ value, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value)
