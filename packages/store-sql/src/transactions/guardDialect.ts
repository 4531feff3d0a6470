/**
 * A Kysely dialect that rejects statements outside of the current transaction.
 */
import type { DatabaseConnection, Dialect, DialectAdapter, Driver, Kysely } from "kysely"

import { type AmbientTransaction, ambientTransaction, isInside } from "./AmbientTransaction.ts"
import { noteDriverError } from "./connectionErrors.ts"
import { OutsideTransactionError } from "./OutsideTransactionError.ts"
import { isTransient } from "./transientErrors.ts"

/**
 * Wraps a Kysely dialect. A statement that code inside a transaction of a unit of work sends to the database itself then
 * fails with an `OutsideTransactionError`.
 *
 * **Details** Without the guard such a statement waits forever on a database with one connection. On other databases it uses
 * a second connection and is not rolled back. After a transient error, such as a deadlock, no further statement is sent in
 * the transaction: MySQL has already rolled it back and would commit each further statement on its own. Databases of
 * `openDatabase` are guarded.
 */
export const guardDialect = (dialect: Dialect): Dialect => {
  if (typeof dialect?.createAdapter !== "function") {
    throw new TypeError("guardDialect needs a Kysely dialect, such as guardDialect(new PostgresDialect({ pool }))")
  }
  const adapter = dialect.createAdapter()
  const isSingle = adapter.supportsMultipleConnections === false
  const guarded = isSingle ? new Proxy(adapter, withConnectionSupport) : adapter
  guardedAdapters.add(guarded)
  return {
    createAdapter: () => guarded,
    createDriver: () => new GuardedDriver(dialect.createDriver(), isSingle),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  }
}

const guardedAdapters = new WeakSet<object>()

/** Returns whether the dialect of a database is guarded. @internal */
export const isGuarded = <DB>(db: Kysely<DB>): boolean => guardedAdapters.has(db.getExecutor().adapter)

// Kysely itself would wait for the single connection before it calls the driver. The wait must come after the guard's check.
const withConnectionSupport: ProxyHandler<DialectAdapter> = {
  get: (adapter, name) => (name === "supportsMultipleConnections" ? true : Reflect.get(adapter, name, adapter)),
}

class GuardedDriver implements Driver {
  readonly #driver: Driver
  readonly #isSingle: boolean
  readonly #watched = new WeakSet<DatabaseConnection>()
  /** The transaction that uses a connection. */
  readonly #owners = new WeakMap<DatabaseConnection, AmbientTransaction>()
  readonly #waiters: Array<() => void> = []
  #isInUse = false
  readonly beginTransaction: Driver["beginTransaction"]
  readonly commitTransaction: Driver["commitTransaction"]
  readonly rollbackTransaction: Driver["rollbackTransaction"]
  readonly savepoint: NonNullable<Driver["savepoint"]>
  readonly rollbackToSavepoint: NonNullable<Driver["rollbackToSavepoint"]>
  readonly releaseSavepoint: NonNullable<Driver["releaseSavepoint"]>

  constructor(driver: Driver, isSingle: boolean) {
    this.#driver = driver
    this.#isSingle = isSingle
    this.beginTransaction = driver.beginTransaction.bind(driver)
    this.commitTransaction = driver.commitTransaction.bind(driver)
    this.rollbackTransaction = driver.rollbackTransaction.bind(driver)
    this.savepoint = async (...parameters) => driver.savepoint?.(...parameters)
    this.rollbackToSavepoint = async (...parameters) => driver.rollbackToSavepoint?.(...parameters)
    this.releaseSavepoint = async (...parameters) => driver.releaseSavepoint?.(...parameters)
  }

  init(...options: Parameters<Driver["init"]>): Promise<void> {
    return this.#driver.init(...options)
  }

  destroy(...options: Parameters<Driver["destroy"]>): Promise<void> {
    return this.#driver.destroy(...options)
  }

  async acquireConnection(...options: Parameters<Driver["acquireConnection"]>): Promise<DatabaseConnection> {
    const ambient = ambientTransaction.getStore()
    if (ambient !== undefined && ambient.driver === this && isInside(ambient)) {
      throw new OutsideTransactionError(ambient.state === "open" ? "inside" : "after")
    }
    const owner = ambient?.state === "starting" && ambient.driver === undefined ? ambient : undefined
    if (owner !== undefined) owner.driver = this
    if (this.#isSingle) await this.#waitForConnection()
    try {
      const connection = await this.#driver.acquireConnection(...options)
      this.#watch(connection)
      if (owner !== undefined) this.#owners.set(connection, owner)
      return connection
    } catch (error) {
      noteDriverError(error)
      if (this.#isSingle) this.#handOn()
      throw error
    }
  }

  async releaseConnection(...parameters: Parameters<Driver["releaseConnection"]>): Promise<void> {
    this.#owners.delete(parameters[0])
    try {
      await this.#driver.releaseConnection(...parameters)
    } finally {
      if (this.#isSingle) this.#handOn()
    }
  }

  async #waitForConnection(): Promise<void> {
    if (!this.#isInUse) this.#isInUse = true
    else await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }

  #handOn(): void {
    const next = this.#waiters.shift()
    if (next === undefined) this.#isInUse = false
    else next()
  }

  // A route may turn a deadlock into a 500 response. The transaction must still notice it, so that it is retried.
  #watch(connection: DatabaseConnection): void {
    if (this.#watched.has(connection)) return
    this.#watched.add(connection)
    const execute = connection.executeQuery
    connection.executeQuery = async (...parameters: Parameters<typeof execute>) => {
      const owner = this.#owners.get(connection)
      if (owner?.state === "open" && owner.transientError !== undefined) throw owner.transientError
      try {
        return (await execute.apply(connection, parameters)) as never
      } catch (error) {
        noteDriverError(error)
        if (owner?.state === "open" && isTransient(error)) owner.transientError = error
        throw error
      }
    }
  }
}
