/** What recognising retries costs: many keys in one call against one by one, and bulk-create with keys against a bare insert. */
import { randomBytes, randomUUID } from "node:crypto"
import type { AddressInfo } from "node:net"

import { fastifyBatch } from "@multistatus/adapter-fastify"
import { type IdempotencyStore } from "@multistatus/core/store"
import { isFailure, resource } from "@multistatus/core"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import {
  insertMany,
  joinTransactions,
  migrate,
  openDatabase,
  sqlIdempotencyStore,
  sqlUnitOfWork,
} from "@multistatus/store-sql"
import { startPostgres, startProxy, startRedis } from "@multistatus/test-services"
import Fastify from "fastify"
import { Pool as PostgresPool } from "pg"
import { Pool } from "undici"
import * as z from "zod"

import { type Case, measure, median, print } from "./Rounds.ts"

const size = 500
const delayMs = 2

interface Tables {
  readonly people: { readonly id: string; readonly name: string; readonly email: string; readonly age: number }
}

const postgres = await startPostgres({ durable: true })
const redis = await startRedis()
const database = await openDatabase<Tables>(postgres.url, { maxConnections: 10 })
await migrate(database.db, "postgres")

const connectRedis = async (url: string) => {
  const client = redisClient(url)
  client.on("error", () => undefined)
  await checkRedis(client)
  return client
}

// Many keys in one call, against one by one.

const makeOwner = () => randomBytes(16).toString("base64url")
const makeHash = () => randomBytes(32).toString("base64url")

const makeItems = () =>
  Array.from({ length: size }, () => ({ key: makeHash(), fingerprint: makeHash(), mode: "retry" as const }))
const result = JSON.stringify({ outcome: "success", id: "u_0123456789abcdef0123456789abcdef" })
const done = ({ key, fingerprint }: { readonly key: string; readonly fingerprint: string }) =>
  ({ key, fingerprint, action: { _tag: "complete", result } }) as const

const makeTimes = () => ({ owner: makeOwner(), leaseMs: 15_000, pendingTtlMs: 86_400_000, resultTtlMs: 86_400_000 })

const casesOf = (store: IdempotencyStore): ReadonlyArray<Case> => [
  {
    name: `${size} keys acquired in one call, and settled in one`,
    run: async () => {
      const [items, times] = [makeItems(), makeTimes()]
      await store.acquire(items, times)
      await store.settle(items.map(done), times)
    },
  },
  {
    name: `${size} keys acquired and settled one by one, awaited`,
    run: async () => {
      const [items, times] = [makeItems(), makeTimes()]
      for (const item of items) await store.acquire([item], times)
      for (const item of items) await store.settle([done(item)], times)
    },
  },
]

const compare = async (where: string, store: IdempotencyStore, rounds: number): Promise<void> => {
  const cases = casesOf(store)
  print(where, cases, await measure(cases, { rounds, warmUp: 3 }))
}

const client = await connectRedis(redis.url)
await compare("Redis, on this machine", redisIdempotencyStore(client), 15)
await compare("PostgreSQL, on this machine", sqlIdempotencyStore(database.db), 9)
{
  await using proxy = await startProxy(redis.url, { delayMs })
  const far = await connectRedis(proxy.url)
  await compare(`Redis, ${delayMs} ms a round trip`, redisIdempotencyStore(far), 3)
  far.disconnect()
}
{
  await using proxy = await startProxy(postgres.url, { delayMs })
  const far = await openDatabase<Tables>(proxy.url, { maxConnections: 1 })
  await compare(`PostgreSQL, ${delayMs} ms a round trip`, sqlIdempotencyStore(far.db), 3)
  await far.close()
}

// Bulk-create with keys, against a bare insert.

const pool = new PostgresPool({ connectionString: postgres.url, max: 10 })
pool.on("error", () => undefined)
await pool.query(
  "create table people (id text primary key, name text not null, email text not null unique, age integer not null check (age >= 0))",
)

const Person = z.object({ name: z.string().min(1).max(200), email: z.email(), age: z.int() })
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
// All that a bulk-create is beside its insert, by hand.
app.post("/by-hand", async (request, reply) => {
  const { people } = request.body as { readonly people: ReadonlyArray<unknown> }
  const rows = people.map((person) => ({ id: randomUUID(), ...Person.parse(person) }))
  return reply.code(201).send({ created: rows.length, people: rows })
})
await app.listen({ port: 0, host: "127.0.0.1" })
const http = new Pool(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, { connections: 1 })

const post = async (path: string, body: string, expected: number, headers: Record<string, string> = {}) => {
  const all = { "content-type": "application/json", ...headers }
  const response = await http.request({ method: "POST", path, body, headers: all })
  const text = await response.body.text()
  if (response.statusCode !== expected)
    throw new Error(`${path} answered ${response.statusCode}: ${text.slice(0, 500)}`)
}

let made = 0
const makePeople = () =>
  Array.from({ length: size }, () => {
    const number = ++made
    return { name: `Person ${number}`, email: `person.${number}@example.com`, age: number % 90 }
  })

const byHand = async (): Promise<void> => {
  const rows = makePeople()
  await pool.query({
    name: "by-hand",
    text: `insert into people (id, name, email, age) select * from unnest($1::text[], $2::text[], $3::text[], $4::int[])`,
    values: [
      rows.map(() => randomUUID()),
      rows.map((row) => row.name),
      rows.map((row) => row.email),
      rows.map((row) => row.age),
    ],
  })
}

const bulk = (path: string) => () => post(path, JSON.stringify({ people: makePeople() }), 201)
const bulkWithKey = (path: string) => () =>
  post(path, JSON.stringify({ people: makePeople() }), 201, { "idempotency-key": randomUUID() })

const bulkCases: ReadonlyArray<Case> = [
  { name: "bare prepared unnest insert, by hand", run: byHand },
  { name: "the endpoint by hand, without its insert", run: bulk("/by-hand") },
  { name: "bulk-create without keys", run: bulk("/without") },
  { name: "bulk-create, a key for each, in Redis", run: bulk("/redis/items") },
  { name: "bulk-create, a key for each, in the database", run: bulk("/sql/items") },
  { name: "bulk-create, a key for each, in transactions", run: bulk("/transaction/items") },
  { name: "bulk-create, a key for the batch, in Redis", run: bulkWithKey("/redis/batch") },
  { name: "bulk-create, a key for the batch, in the database", run: bulkWithKey("/sql/batch") },
  { name: "bulk-create, a key for the batch, in transactions", run: bulkWithKey("/transaction/batch") },
]
const times = await measure(bulkCases, { rounds: 100, warmUp: 60 })
print(`bulk-create of ${size} rows in PostgreSQL`, bulkCases, times)
console.log("\n  less the endpoint by hand without its insert, to the bare insert")
bulkCases.forEach(({ name }, index) => {
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
