/**
 * The users in the database. Knows SQL and outcomes, nothing of HTTP.
 */
import { randomUUID } from "node:crypto"

import { type DatabaseDialect, joinTransactions } from "@multistatus/store-sql"
import type { Kysely, Selectable } from "kysely"

import type { Tables } from "./Tables.ts"
import { emailTaken, userNotFound } from "./UserFailure.ts"
import type { NewUser, UserPatch } from "./userInput.ts"

/**
 * A user as clients see it.
 *
 * @category models
 * @since 0.1.0
 */
export interface User {
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly [member: string]: unknown
}

type Row = Omit<Selectable<Tables["users"]>, "seq">

// Five parameters a row, and SQLite takes 32,766 of them in one statement; the others take twice as many.
const rowsPerStatement = 6500

/**
 * The users of one database, or of one transaction on it.
 *
 * **Details** Its statements join the transaction of an atomic batch where they are called in one. What cannot be done rejects with a `UserFailure`. Each method is one transaction; on a transaction's
 * handle (see `within`) it takes part in that one.
 *
 * @category services
 * @since 0.1.0
 */
export class Users {
  readonly db: Kysely<Tables>
  readonly dialect: DatabaseDialect

  constructor({ db, dialect }: { readonly db: Kysely<Tables>; readonly dialect: DatabaseDialect }) {
    this.db = joinTransactions(db)
    this.dialect = dialect
  }

  /** The same users seen from inside a transaction. */
  within(transaction: Kysely<Tables>): Users {
    return new Users({ db: transaction, dialect: this.dialect })
  }

  /** Stores a user under an id of its own. */
  async create(input: NewUser): Promise<User> {
    const row = toRow(`u_${randomUUID().replaceAll("-", "")}`, input)
    await refusingDuplicates(this.db.insertInto("users").values(row).execute())
    return toUser(row)
  }

  /**
   * Stores users with one statement and answers in their order, or stores none of them.
   *
   * Beyond 6,500 rows it takes several statements in one transaction. An email that is taken rejects the whole call
   * and does not tell whose it was.
   */
  async createMany(inputs: ReadonlyArray<NewUser>): Promise<ReadonlyArray<User>> {
    const rows = inputs.map((input) => toRow(`u_${randomUUID().replaceAll("-", "")}`, input))
    const insert = async (db: Kysely<Tables>) => {
      for (let from = 0; from < rows.length; from += rowsPerStatement) {
        const values = rows.slice(from, from + rowsPerStatement)
        await refusingDuplicates(db.insertInto("users").values(values).execute())
      }
    }
    await (rows.length > rowsPerStatement ? this.#transaction(insert) : insert(this.db))
    return rows.map(toUser)
  }

  /** The user with this id. */
  async find(id: string): Promise<User> {
    return toUser(await this.#row(this.db, id))
  }

  /** The first users in the order of their creation. */
  async list(limit: number): Promise<ReadonlyArray<User>> {
    const rows = await this.db.selectFrom("users").select(columns).orderBy("seq").limit(limit).execute()
    return rows.map(toUser)
  }

  /** Changes the members that the patch names and answers with the whole user. */
  async update(id: string, patch: UserPatch): Promise<User> {
    return this.#transaction(async (db) => {
      const user = toUser(await this.#row(db, id, "to change"))
      const row = toRow(id, { ...user, ...patch, name: patch.name ?? user.name })
      await refusingDuplicates(db.updateTable("users").set(row).where("id", "=", id).execute())
      return toUser(row)
    })
  }

  /** Removes the user with this id. */
  async remove(id: string): Promise<void> {
    const { numDeletedRows } = await this.db.deleteFrom("users").where("id", "=", asKey(id)).executeTakeFirstOrThrow()
    if (numDeletedRows === 0n) throw userNotFound(id)
  }

  async #row(db: Kysely<Tables>, id: string, purpose?: "to change"): Promise<Row> {
    // SQLite has no row locks and needs none: its transactions run one at a time.
    const locks = purpose !== undefined && this.dialect !== "sqlite"
    const query = db.selectFrom("users").select(columns).where("id", "=", asKey(id))
    const row = await (locks ? query.forUpdate() : query).executeTakeFirst()
    if (row === undefined) throw userNotFound(id)
    return row
  }

  #transaction<Result>(run: (db: Kysely<Tables>) => Promise<Result>): Promise<Result> {
    return this.db.isTransaction ? run(this.db) : this.db.transaction().execute(run)
  }
}

const columns = ["id", "name", "email", "email_key", "attributes"] as const

const toRow = (id: string, { id: _, name, email, ...attributes }: NewUser): Row => ({
  id,
  name,
  email: email ?? null,
  email_key: email?.toLowerCase() ?? null,
  attributes: JSON.stringify(attributes),
})

const toUser = ({ id, name, email, attributes }: Row): User => ({
  id,
  name,
  email,
  ...(attributes !== "{}" && (JSON.parse(attributes) as Record<string, unknown>)),
})

// No id looks otherwise, and PostgreSQL throws at text that holds NUL.
const asKey = (id: string): string => (/^u_\w{1,64}$/.test(id) ? id : "")

const refusingDuplicates = <Result>(statement: Promise<Result>): Promise<Result> =>
  statement.catch((error: unknown) => {
    throw isUniqueViolation(error) ? emailTaken : error
  })

// PostgreSQL and PGlite, MySQL and MariaDB, SQLite. Ids are random, so it can only have been the email.
const isUniqueViolation = (error: unknown): boolean =>
  error instanceof Error &&
  (("code" in error && (error.code === "23505" || error.code === "ER_DUP_ENTRY")) ||
    ("errcode" in error && error.errcode === 2067))
