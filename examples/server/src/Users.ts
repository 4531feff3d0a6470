/**
 * The users in the database. Knows SQL and outcomes, nothing of HTTP.
 */
import { randomUUID } from "node:crypto"

import { type Failure, failure, isFailure } from "@multistatus/core"
import {
  type DatabaseDialect,
  deleteMany,
  insertMany,
  joinTransactions,
  updateMany,
  type Violation,
} from "@multistatus/store-sql"
import type { Kysely, Selectable } from "kysely"

import type { Tables } from "./Tables.ts"
import { emailTaken, userNotFound } from "./UserFailure.ts"
import type { NewUser, UserPatch } from "./userInput.ts"

/** A user as clients see it. */
export interface User {
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly [member: string]: unknown
}

type Row = Omit<Selectable<Tables["users"]>, "seq" | "created">

/**
 * The users of one database, or of one transaction on it.
 *
 * **Details** Its statements join the transaction of an atomic batch where they are called in one. What cannot be done rejects with a `UserFailure`. Each method is one transaction; on a transaction's
 * handle (see `within`) it takes part in that one.
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
    const row = toRow(newId(), input)
    await refusingDuplicates(
      this.db
        .insertInto("users")
        .values({ ...row, created: createdNow() })
        .execute(),
    )
    return toUser(row)
  }

  /** Stores users with one statement; each is stored, or answered with why it is not, apart from the others. */
  async createMany(inputs: ReadonlyArray<NewUser>): Promise<ReadonlyArray<User | Failure>> {
    const rows = inputs.map((input) => toRow(newId(), input))
    // Rows are not stored in the order they are given in, so the order of creation is not left to the database.
    const created = rows.map((row) => ({ ...row, created: createdNow() }))
    const outcomes = await insertMany(this.db, "users", created, { describe: duplicateEmail })
    return outcomes.map((outcome, index) => (isFailure(outcome) ? outcome : toUser(rows[index]!)))
  }

  /** The user with this id. */
  async find(id: string): Promise<User> {
    return toUser(await this.#row(this.db, id))
  }

  /** The first users in the order of their creation. */
  async list(limit: number): Promise<ReadonlyArray<User>> {
    const rows = await this.db
      .selectFrom("users")
      .select(columns)
      .orderBy("created")
      .orderBy("seq")
      .limit(limit)
      .execute()
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

  /** Changes users with one statement; each is changed, or answered with why it is not, apart from the others. */
  async updateMany(
    changes: ReadonlyArray<{ readonly id: string; readonly patch: UserPatch }>,
  ): Promise<ReadonlyArray<User | Failure>> {
    const update = async (db: Kysely<Tables>, attributes: ReadonlyMap<string, string>) => {
      const rows = changes.map(({ id, patch }) => ({ key: asKey(id), set: toChange(patch, attributes.get(id)) }))
      const outcomes = await updateMany(db, "users", rows, { returning: columns, describe: duplicateEmail })
      return outcomes.map((outcome, index) =>
        isFailure(outcome) ? named(outcome, changes[index]!.id) : toUser(outcome),
      )
    }
    // Other members are stored as one text, which a patch has to be merged into.
    const merged = changes.filter(({ patch }) => hasAttributes(patch)).map(({ id }) => asKey(id))
    if (merged.length === 0) return update(this.db, new Map())
    return this.#transaction(async (db) => {
      const query = db.selectFrom("users").select(["id", "attributes"]).where("id", "in", merged).orderBy("id")
      const rows = await (this.dialect === "sqlite" ? query : query.forUpdate()).execute()
      return update(db, new Map(rows.map(({ id, attributes }) => [id, attributes])))
    })
  }

  /** Removes users with one statement; each is removed, or answered with why it is not, apart from the others. */
  async removeMany(ids: ReadonlyArray<string>): Promise<ReadonlyArray<{ readonly id: string } | Failure>> {
    const outcomes = await deleteMany(this.db, "users", ids.map(asKey))
    return outcomes.map((outcome, index) => (isFailure(outcome) ? named(outcome, ids[index]!) : { id: ids[index]! }))
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

let lastCreated = 0

const createdNow = (): number => (lastCreated = Math.max(lastCreated + 1, Date.now() * 1000))

const newId = (): string => `u_${randomUUID().replaceAll("-", "")}`

const columns = ["id", "name", "email", "email_key", "attributes"] as const

const toRow = (id: string, { id: _, name, email, ...attributes }: NewUser): Row => ({
  id,
  name,
  email: email ?? null,
  email_key: email?.toLowerCase() ?? null,
  attributes: JSON.stringify(attributes),
})

const hasAttributes = ({ id: _, name: _name, email: _email, ...attributes }: UserPatch): boolean =>
  Object.keys(attributes).length > 0

const toChange = ({ id: _, name, email, ...attributes }: UserPatch, stored = "{}") => ({
  name,
  ...(email !== undefined && { email, email_key: email?.toLowerCase() ?? null }),
  ...(Object.keys(attributes).length > 0 && {
    attributes: JSON.stringify({ ...(JSON.parse(stored) as object), ...attributes }),
  }),
})

const duplicateEmail = ({ kind, column }: Violation): Failure | undefined =>
  kind === "unique" && column === "email_key" ? failure(emailTaken.code, emailTaken.message, emailTaken) : undefined

const named = (outcome: Failure, id: string): Failure =>
  outcome.code === "NOT_FOUND" ? failure("NOT_FOUND", userNotFound(id).message) : outcome

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
