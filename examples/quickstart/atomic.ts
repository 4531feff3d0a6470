/**
 * Atomic batches: actions that write through `tx`, and a route that joins the transaction without changes.
 */
import { expressBatch } from "@multistatus/adapter-express"
import { failure, resource } from "@multistatus/core"
import { joinTransactions, openDatabase, sqlUnitOfWork } from "@multistatus/store-sql"
import express from "express"
import type { Kysely } from "kysely"

interface Tables {
  readonly accounts: { readonly id: string; readonly balance: number }
}

declare module "@multistatus/core" {
  interface Register {
    readonly tx: Kysely<Tables>
  }
}

const { db } = await openDatabase<Tables>(process.env.DATABASE_URL ?? "sqlite::memory:")
await db.schema
  .createTable("accounts")
  .addColumn("id", "varchar(40)", (column) => column.primaryKey())
  .addColumn("balance", "integer", (column) => column.notNull())
  .execute()
const opening = ["a", "b"].map((id) => ({ id, balance: 100 }))
await db.insertInto("accounts").values(opening).execute()

const transfer = async (database: Kysely<Tables>, id: string, amount: number) => {
  const { numUpdatedRows } = await database
    .updateTable("accounts")
    .set((eb) => ({ balance: eb("balance", "+", amount) }))
    .where("id", "=", id)
    .where((eb) => eb(eb("balance", "+", amount), ">=", 0))
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

const accounts = resource("accounts", {
  add: {
    run: async (amount, { id, tx }) =>
      (await transfer(tx, id, Number(amount))) ? { id } : failure("CONFLICT", `Account ${id} has insufficient funds`),
  },
  // Writes to the database itself and not through `tx`: refused inside a transaction.
  mistaken: { run: (_, { id }) => transfer(db, id, 1) },
})

const app = express()
const batch = expressBatch({ unitOfWork: sqlUnitOfWork(db) })
app.post("/accounts/batch", batch.operations(accounts, { strategy: "atomic", clientStrategies: ["partial"] }))
app.post("/batch", batch.requests(app, { clientStrategies: ["atomic"] }))

const joined = joinTransactions(db)
app.post("/accounts/:id/add/:amount", async ({ params: { id, amount } }, response) => {
  response.sendStatus((await transfer(joined, id, Number(amount))) ? 204 : 409)
})
app.get("/accounts", async (_request, response) => {
  response.json(await joined.selectFrom("accounts").selectAll().orderBy("id").execute())
})
app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
