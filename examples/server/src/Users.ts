/**
 * The users in the database.
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

/** A user as clients get it. */
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
 * Each method is one transaction. Within an atomic batch, or on the handle of a transaction (see `within`), its statements
 * join that transaction. Methods on one user reject with a `UserFailure`; methods on many return a `Failure` for each user
 * that failed.
 */
export class Users {
  readonly db: Kysely<Tables>
  readonly dialect: DatabaseDialect

  constructor({ db, dialect }: { readonly db: Kysely<Tables>; readonly dialect: DatabaseDialect }) {
    this.db = joinTransactions(db)
    this.dialect = dialect
  }

  /** The same users within a transaction. */
  within(transaction: Kysely<Tables>): Users {
    return new Users({ db: transaction, dialect: this.dialect })
  }

  /** Stores a user under a new id. */
  async create(input: NewUser): Promise<User> {
    const row = toRow(newId(), input)
    await rejectDuplicates(
      this.db
        .insertInto("users")
        .values({ ...row, created: createdNow() })
        .execute(),
    )
    return toUser(row)
  }

  /** Stores users with one statement; one that fails does not affect the others. */
  async createMany(inputs: ReadonlyArray<NewUser>): Promise<ReadonlyArray<User | Failure>> {
    const rows = inputs.map((input) => toRow(newId(), input))
    // The order of creation is set here, because the database may store the rows in another order.
    const created = rows.map((row) => ({ ...row, created: createdNow() }))
    const outcomes = await insertMany(this.db, "users", created, { describe: duplicateEmail })
    return outcomes.map((outcome, index) => (isFailure(outcome) ? outcome : toUser(rows[index]!)))
  }

  /** Returns the user with this id. */
  async find(id: string): Promise<User> {
    return toUser(await this.#row(this.db, id))
  }

  /** Returns the first users in the order of creation. */
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

  /** Changes the members that the patch names, and returns the whole user. */
  async update(id: string, patch: UserPatch): Promise<User> {
    return this.#transaction(async (db) => {
      const user = toUser(await this.#row(db, id, { lock: true }))
      const row = toRow(id, { ...user, ...patch, name: patch.name ?? user.name })
      await rejectDuplicates(db.updateTable("users").set(row).where("id", "=", id).execute())
      return toUser(row)
    })
  }

  /** Changes users with one statement; one that fails does not affect the others. */
  async updateMany(
    changes: ReadonlyArray<{ readonly id: string; readonly patch: UserPatch }>,
  ): Promise<ReadonlyArray<User | Failure>> {
    const update = async (db: Kysely<Tables>, attributes: ReadonlyMap<string, string>) => {
      const rows = changes.map(({ id, patch }) => ({ key: asKey(id), set: toChange(patch, attributes.get(id)) }))
      const outcomes = await updateMany(db, "users", rows, { returning: columns, describe: duplicateEmail })
      return outcomes.map((outcome, index) =>
        isFailure(outcome) ? withUserId(outcome, changes[index]!.id) : toUser(outcome),
      )
    }
    // Other members are stored as one JSON text, so a patch of them has to be merged with the stored text.
    const merged = changes.filter(({ patch }) => hasAttributes(patch)).map(({ id }) => asKey(id))
    if (merged.length === 0) return update(this.db, new Map())
    return this.#transaction(async (db) => {
      const query = db.selectFrom("users").select(["id", "attributes"]).where("id", "in", merged).orderBy("id")
      const rows = await (this.dialect === "sqlite" ? query : query.forUpdate()).execute()
      return update(db, new Map(rows.map(({ id, attributes }) => [id, attributes])))
    })
  }

  /** Removes users with one statement; one that fails does not affect the others. */
  async removeMany(ids: ReadonlyArray<string>): Promise<ReadonlyArray<{ readonly id: string } | Failure>> {
    const outcomes = await deleteMany(this.db, "users", ids.map(asKey))
    return outcomes.map((outcome, index) =>
      isFailure(outcome) ? withUserId(outcome, ids[index]!) : { id: ids[index]! },
    )
  }

  /** Removes the user with this id. */
  async remove(id: string): Promise<void> {
    const { numDeletedRows } = await this.db.deleteFrom("users").where("id", "=", asKey(id)).executeTakeFirstOrThrow()
    if (numDeletedRows === 0n) throw userNotFound(id)
  }

  async #row(db: Kysely<Tables>, id: string, { lock = false } = {}): Promise<Row> {
    // SQLite has no row locks: its transactions run one at a time.
    const locks = lock && this.dialect !== "sqlite"
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

const withUserId = (outcome: Failure, id: string): Failure =>
  outcome.code === "NOT_FOUND" ? failure("NOT_FOUND", userNotFound(id).message) : outcome

const toUser = ({ id, name, email, attributes }: Row): User => ({
  id,
  name,
  email,
  ...(attributes !== "{}" && (JSON.parse(attributes) as Record<string, unknown>)),
})

// Every id matches this pattern. PostgreSQL fails on other text that contains NUL.
const asKey = (id: string): string => (/^u_\w{1,64}$/.test(id) ? id : "")

const rejectDuplicates = <Result>(statement: Promise<Result>): Promise<Result> =>
  statement.catch((error: unknown) => {
    throw isUniqueViolation(error) ? emailTaken : error
  })

// The codes of PostgreSQL and PGlite, of MySQL and MariaDB, and of SQLite. Ids are random, so only emails collide.
const isUniqueViolation = (error: unknown): boolean =>
  error instanceof Error &&
  (("code" in error && (error.code === "23505" || error.code === "ER_DUP_ENTRY")) ||
    ("errcode" in error && error.errcode === 2067))
