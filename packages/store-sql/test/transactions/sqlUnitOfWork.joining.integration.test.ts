import { freshDatabase } from "@multistatus/test-services"
import { afterAll, beforeEach, describe, expect, inject, it } from "vitest"

import { currentTransaction } from "../../src/transactions/AmbientTransaction.ts"
import { joinTransactions } from "../../src/transactions/joinTransactions.ts"
import { sqlUnitOfWork } from "../../src/transactions/sqlUnitOfWork.ts"
import { addKey, keysIn, openKeys } from "../support/keys.ts"

const urls = {
  SQLite: async () => "sqlite::memory:",
  PostgreSQL: () => freshDatabase(inject("postgresUrl")),
  MariaDB: () => freshDatabase(inject("mariadbUrl")),
}

const plenty = { remainingMs: 20_000 }

describe.each(Object.keys(urls) as Array<keyof typeof urls>)("code that begins transactions itself, on %s", (kind) => {
  const opened = urls[kind]().then((url) => openKeys(url))
  afterAll(async () => (await opened).close())
  beforeEach(async () => {
    await (await opened).db.deleteFrom("keys").execute()
  })

  const setUp = async () => {
    const { db } = await opened
    return { db, joining: joinTransactions(db), unitOfWork: sqlUnitOfWork(db) }
  }

  it("joins an open transaction with a savepoint", async () => {
    const { db, joining, unitOfWork } = await setUp()
    const inner = (name: string, fails: boolean) =>
      joining.transaction().execute(async (transaction) => {
        await addKey(transaction, name)
        await addKey(joining, `${name} too`)
        if (fails) throw new Error(name)
      })
    const outcome = await unitOfWork.run(
      ({ enter }) =>
        enter(async () => {
          await inner("good", false)
          await expect(inner("bad", true)).rejects.toThrow("bad")
          await joining
            .transaction()
            .setIsolationLevel("serializable")
            .execute(() => inner("nested", false))
          return "commit"
        }),
      plenty,
    )
    expect(outcome).toBe("committed")
    expect(await keysIn(db)).toEqual(["good", "good too", "nested", "nested too"])
  })

  it("gets its own transaction elsewhere", async () => {
    const { db, joining } = await setUp()
    await joining.transaction().execute((transaction) => addKey(transaction, "a"))
    await expect(
      joining.transaction().execute(async (transaction) => {
        await addKey(transaction, "b")
        throw new Error("b")
      }),
    ).rejects.toThrow("b")
    expect(await keysIn(db)).toEqual(["a"])
  })

  it("cannot leave the transaction", async () => {
    const { db, joining, unitOfWork } = await setUp()
    const outside = { code: "OUTSIDE_TRANSACTION", status: 500 }
    await unitOfWork.run(
      ({ enter }) =>
        enter(async () => {
          await expect(addKey(db, "a")).rejects.toMatchObject(outside)
          await expect(db.transaction().execute(() => Promise.resolve())).rejects.toMatchObject(outside)
          await expect(db.startTransaction().execute()).rejects.toMatchObject(outside)
          expect(() => joining.startTransaction()).toThrow(/not supported/)
          await addKey(joining, "b")
          return "commit"
        }),
      plenty,
    )
    expect(await keysIn(db)).toEqual(["b"])
  })

  it("can continue by itself after a commit, and not after a rollback", async () => {
    const { db, joining, unitOfWork } = await setUp()
    for (const ending of ["commit", "rollback"] as const) {
      let later = (): void => undefined
      let running: Promise<void> | undefined
      await unitOfWork.run(async ({ enter }) => {
        enter(() => {
          running = new Promise<void>((resolve) => (later = resolve)).then(() => addKey(joining, `after ${ending}`))
          running.catch(() => undefined)
        })
        return ending
      }, plenty)
      later()
      if (ending === "commit") await running
      else await expect(running).rejects.toThrow()
    }
    expect(await keysIn(db)).toEqual(["after commit"])
    expect(currentTransaction()).toBeUndefined()
  })

  it("does not let a batch report what a failed savepoint rolled back", async () => {
    const { db, unitOfWork } = await setUp()
    const running = unitOfWork.run(async ({ handle, savepoint }) => {
      const transaction = handle as typeof db
      await savepoint(async () => {
        await addKey(transaction, "a")
        // What a handler does that ends the transaction behind everybody's back.
        await endQuietly(transaction)
        await addKey(transaction, "b")
        throw new Error("undo this")
      }).catch(() => undefined)
      return "commit"
    }, plenty)
    await expect(running).rejects.toThrow()
  })
})

const endQuietly = async (transaction: { executeQuery: (query: never) => Promise<unknown> }): Promise<void> => {
  await transaction.executeQuery({ sql: "commit", parameters: [], query: { kind: "RawNode" } } as never)
}
