/**
 * An atomic batch on Node's SQLite: all of its operations are stored, or none.
 */
import { deepStrictEqual } from "node:assert/strict"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { expressBatch } from "@multistatus/adapter-express"
import { failure, resource } from "@multistatus/core"
import { joinTransactions, openDatabase, sqlUnitOfWork } from "@multistatus/store-sql"
import express from "express"
import { ask } from "./askThreeEndpoints.ts"

interface Tables {
  readonly notes: { readonly id: string }
}

const opened = await openDatabase<Tables>("sqlite::memory:")
await opened.db.schema
  .createTable("notes")
  .addColumn("id", "text", (column) => column.primaryKey())
  .execute()
const db = joinTransactions(opened.db)
const notes = resource("notes", {
  create: {
    run: async (id) => {
      await db
        .insertInto("notes")
        .values({ id: String(id) })
        .execute()
      return { id }
    },
  },
  refuse: { identified: false, run: () => failure("CONFLICT", "Refused") },
})

const app = express()
const batch = expressBatch({ unitOfWork: sqlUnitOfWork(opened.db), strategy: "atomic" })
app.post("/notes/batch", batch.operations(notes))
const server = app.listen(0, "127.0.0.1")
await once(server, "listening")
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/notes/batch`
const stored = async () => (await db.selectFrom("notes").selectAll().execute()).map(({ id }) => id)

const creations = ["a", "b"].map((data) => ({ action: "create", data }))
deepStrictEqual(await ask(url, { operations: [...creations, { action: "refuse" }] }), {
  status: 409,
  body: {
    status: "failed",
    error: "Operation 3 failed: refused",
    operations_applied: 0,
    failed_index: 2,
    code: "CONFLICT",
  },
})
deepStrictEqual(await stored(), [])
deepStrictEqual((await ask(url, { operations: creations })).status, 200)
deepStrictEqual(await stored(), ["a", "b"])

server.close()
server.closeAllConnections()
await batch.close()
await opened.close()
