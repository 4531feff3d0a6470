/** Bulk-create with idempotency keys, next to bulk-create without keys and to an insert by hand. */
import { randomUUID } from "node:crypto"
import type { AddressInfo } from "node:net"

import { fastifyBatch } from "@multistatus/adapter-fastify"
import { isFailure, resource } from "@multistatus/core"
import { redisIdempotencyStore } from "@multistatus/store-redis"
import {
  insertMany,
  joinTransactions,
  migrate,
  openDatabase,
  sqlIdempotencyStore,
  sqlUnitOfWork,
} from "@multistatus/store-sql"
import { startPostgres, startRedis } from "@multistatus/test-services"
import Fastify from "fastify"
import { Pool as PostgresPool } from "pg"
import { Pool } from "undici"

import { connectRedis } from "./connectRedis.ts"
import { createPeople, insertByHand, makePeople, Person, type Tables } from "./people.ts"
import { post } from "./post.ts"
import { type Case, measure, median, print } from "./Rounds.ts"

const size = 500

const postgres = await startPostgres({ durable: true })
const redis = await startRedis()
const database = await openDatabase<Tables>(postgres.url, { maxConnections: 10 })
await migrate(database.db, "postgres")
const client = await connectRedis(redis.url)
const pool = new PostgresPool({ connectionString: postgres.url, max: 10 })
pool.on("error", () => undefined)
await createPeople(pool)

const joined = joinTransactions(database.db)
const people = resource("people", {
  create: {
    input: Person,
    runMany: async (items) => {
      const rows = items.map(({ input }) => ({ id: randomUUID(), ...input }))
      const outcomes = await insertMany(joined, "people", rows)
      return outcomes.map((outcome, index) => (isFailure(outcome) ? outcome : rows[index]))
    },
  },
})

const claims = await openDatabase<Tables>(postgres.url, { maxConnections: 2 })
const inDatabase = sqlIdempotencyStore(database.db, { claims: claims.db })
const app = Fastify()
await app.register(fastifyBatch, { tenant: () => "bench", unitOfWork: sqlUnitOfWork(database.db) })
const idempotencyKey = (person: unknown) => (person as { readonly email: string }).email
app.batch.bulk("/without", people, "create")
for (const [path, idempotency] of [
  ["/transaction", { store: inDatabase, sameTransaction: true }],
  ["/sql", { store: inDatabase, sameTransaction: false }],
  ["/redis", { store: redisIdempotencyStore(client) }],
] as const) {
  app.batch.bulk(`${path}/batch`, people, "create", { idempotency })
  app.batch.bulk(`${path}/items`, people, "create", { idempotency, idempotencyKey })
}
// Everything that bulk-create does except the insert, by hand.
app.post("/by-hand", async (request, reply) => {
  const { people } = request.body as { readonly people: ReadonlyArray<unknown> }
  const rows = people.map((person) => ({ id: randomUUID(), ...Person.parse(person) }))
  return reply.code(201).send({ created: rows.length, people: rows })
})
await app.listen({ port: 0, host: "127.0.0.1" })
const http = new Pool(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, { connections: 1 })

const bulk = (path: string) => () => post(http, path, JSON.stringify({ people: makePeople(size) }), 201)
const bulkWithKey = (path: string) => () =>
  post(http, path, JSON.stringify({ people: makePeople(size) }), 201, { "idempotency-key": randomUUID() })

const cases: ReadonlyArray<Case> = [
  { name: "prepared unnest insert, by hand", run: () => insertByHand(pool, makePeople(size)) },
  { name: "the endpoint by hand, without its insert", run: bulk("/by-hand") },
  { name: "bulk-create without keys", run: bulk("/without") },
  { name: "bulk-create, a key per item, in Redis", run: bulk("/redis/items") },
  { name: "bulk-create, a key per item, in the database", run: bulk("/sql/items") },
  { name: "bulk-create, a key per item, in the transaction", run: bulk("/transaction/items") },
  { name: "bulk-create, one key for the batch, in Redis", run: bulkWithKey("/redis/batch") },
  { name: "bulk-create, one key for the batch, in the database", run: bulkWithKey("/sql/batch") },
  { name: "bulk-create, one key for the batch, in the transaction", run: bulkWithKey("/transaction/batch") },
]
const times = await measure(cases, { rounds: 100, warmUp: 60 })
print(`bulk-create of ${size} rows in PostgreSQL`, cases, times)
console.log("\n  minus the endpoint by hand without its insert, to the insert by hand")
cases.forEach(({ name }, index) => {
  if (index < 2) return
  const ratio = median(times.map((round) => (round[index]! - round[1]!) / round[0]!))
  console.log(`  ${name.padEnd(64)} ${ratio.toFixed(2).padStart(7)} ×`)
})

await http.close()
await app.close()
await pool.end()
await claims.close()
await database.close()
client.disconnect()
await postgres.stop()
await redis.stop()
