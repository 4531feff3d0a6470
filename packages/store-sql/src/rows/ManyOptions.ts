import type { Failure } from "@multistatus/core"
import type { ControlledTransaction, Kysely, Selectable, Transaction } from "kysely"

import type { Violation } from "./Violation.ts"

/**
 * A database or a transaction of Kysely's: each class by its name, or `DB` would not be inferred from those that extend it.
 */
export type DatabaseHandle<DB> = Kysely<DB> | Transaction<DB> | ControlledTransaction<DB>

/** Which columns to answer with. */
export type Returning<DB, Table extends keyof DB> = "all" | ReadonlyArray<keyof Selectable<DB[Table]> & string>

/** What is answered for a row: the columns asked for, or the row as it was given. */
export type Returned<DB, Table extends keyof DB, R, Given> = R extends "all"
  ? Selectable<DB[Table]>
  : R extends ReadonlyArray<infer Column extends keyof Selectable<DB[Table]>>
    ? Pick<Selectable<DB[Table]>, Column>
    : Given

/** Options of `insertMany`, `updateMany` and `deleteMany`. */
export interface ManyOptions<DB, Table extends keyof DB, R> {
  /** The column that tells rows apart: the primary key, or a unique one. Default `"id"`. */
  readonly key?: (keyof Selectable<DB[Table]> & string) | undefined
  /** Columns to answer with. Default: rows are answered as they were given, and nothing is read back. */
  readonly returning?: R
  /** The failure that stands for a violation; `undefined` leaves it to `toFailure`. */
  readonly describe?: ((violation: Violation) => Failure | undefined) | undefined
}

/** The value of a key column. */
export type RowKey = string | number | bigint | Uint8Array
