/**
 * A dialect that knows of transactions: statements that would escape one fail at once.
 */
import type { DatabaseConnection, Dialect, DialectAdapter, Driver } from "kysely"

import { type AmbientTransaction, ambientTransaction, isInside } from "./AmbientTransaction.ts"
import { OutsideTransactionError } from "./OutsideTransactionError.ts"
import { isTransient } from "./transientErrors.ts"

/**
 * Wraps a dialect of Kysely's, so that a statement to the database itself from within a transaction of a unit of work
 * fails with an `OutsideTransactionError`.
 *
 * **Details** Unguarded, such a statement hangs for ever on a database with one connection, and elsewhere takes a second
 * connection and is not rolled back. After a deadlock nothing more is sent in its transaction, whatever the code that ran
 * into it goes on to do: MySQL has undone the transaction by then, and would keep each further statement by itself.
 * Databases that `openDatabase` opened are guarded.
 */
export const guardDialect = (dialect: Dialect): Dialect => {
  const adapter = dialect.createAdapter()
  const single = adapter.supportsMultipleConnections === false
  return {
    createAdapter: () => (single ? new Proxy(adapter, manyConnections) : adapter),
    createDriver: () => new GuardedDriver(dialect.createDriver(), single),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  }
}

// Kysely would wait for the one connection before the driver is asked for it: the wait has to come after the check.
const manyConnections: ProxyHandler<DialectAdapter> = {
  get: (adapter, name) => (name === "supportsMultipleConnections" ? true : Reflect.get(adapter, name, adapter)),
}

class GuardedDriver implements Driver {
  readonly #driver: Driver
  readonly #single: boolean
  readonly #watched = new WeakSet<DatabaseConnection>()
  /** Which transaction of a unit of work a connection was taken for. */
  readonly #owners = new WeakMap<DatabaseConnection, AmbientTransaction>()
  readonly #waiting: Array<() => void> = []
  #taken = false
  readonly beginTransaction: Driver["beginTransaction"]
  readonly commitTransaction: Driver["commitTransaction"]
  readonly rollbackTransaction: Driver["rollbackTransaction"]
  readonly savepoint: NonNullable<Driver["savepoint"]>
  readonly rollbackToSavepoint: NonNullable<Driver["rollbackToSavepoint"]>
  readonly releaseSavepoint: NonNullable<Driver["releaseSavepoint"]>

  constructor(driver: Driver, single: boolean) {
    this.#driver = driver
    this.#single = single
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
    if (this.#single) await this.#take()
    try {
      const connection = await this.#driver.acquireConnection(...options)
      this.#watch(connection)
      if (owner !== undefined) this.#owners.set(connection, owner)
      return connection
    } catch (error) {
      if (this.#single) this.#giveBack()
      throw error
    }
  }

  async releaseConnection(...parameters: Parameters<Driver["releaseConnection"]>): Promise<void> {
    this.#owners.delete(parameters[0])
    try {
      await this.#driver.releaseConnection(...parameters)
    } finally {
      if (this.#single) this.#giveBack()
    }
  }

  async #take(): Promise<void> {
    if (!this.#taken) this.#taken = true
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #giveBack(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#taken = false
    else next()
  }

  // A route that answers 500 because of a deadlock says nothing of it, so its transaction has to notice.
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
        if (owner?.state === "open" && isTransient(error)) owner.transientError = error
        throw error
      }
    }
  }
}
