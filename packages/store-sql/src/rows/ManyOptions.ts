import type { Failure } from "@multistatus/core"
import type { ControlledTransaction, Kysely, Selectable, Transaction } from "kysely"

import type { Violation } from "./Violation.ts"

// TypeScript infers `DB` only from the named classes, not from those that extend them.
/** A Kysely database or transaction. */
export type DatabaseHandle<DB> = Kysely<DB> | Transaction<DB> | ControlledTransaction<DB>

/** The columns to return: `"all"` or their names. */
export type Returning<DB, Table extends keyof DB> = "all" | ReadonlyArray<keyof Selectable<DB[Table]> & string>

/** The result for a row: the returned columns, or without `returning` the row as given. */
export type Returned<DB, Table extends keyof DB, R, Given> = R extends "all"
  ? Selectable<DB[Table]>
  : R extends ReadonlyArray<infer Column extends keyof Selectable<DB[Table]>>
    ? Pick<Selectable<DB[Table]>, Column>
    : Given

/** Options of `insertMany`, `updateMany` and `deleteMany`. */
export interface ManyOptions<DB, Table extends keyof DB, R> {
  /** The column that identifies rows: the primary key or a unique column. Default `"id"`. */
  readonly key?: (keyof Selectable<DB[Table]> & string) | undefined
  /** The columns to return. Default: nothing is read, and results are the rows as given. */
  readonly returning?: R
  /** Returns the failure for a violation. `undefined` selects the failure of `toFailure`. */
  readonly describe?: ((violation: Violation) => Failure | undefined) | undefined
}

/** The value of a key column. */
export type RowKey = string | number | bigint | Uint8Array
