/** Creating n rows in PostgreSQL: bulk-create over HTTP, next to inserts written by hand. */
import { randomUUID } from "node:crypto"
import type { AddressInfo } from "node:net"

import { fastifyBatch } from "@multistatus/adapter-fastify"
import { isFailure, resource } from "@multistatus/core"
import { insertMany, migrate, openDatabase } from "@multistatus/store-sql"
import { startPostgres } from "@multistatus/test-services"
import Fastify from "fastify"
import { Pool as PostgresPool } from "pg"
import { Pool } from "undici"

import { createPeople, insertByHand, makePeople, Person, type Tables } from "./people.ts"
import { post } from "./post.ts"
import { type Case, measure, median } from "./Rounds.ts"

const server = await startPostgres({ durable: true })
const database = await openDatabase<Tables>(server.url, { maxConnections: 10 })
await migrate(database.db, "postgres")
const pool = new PostgresPool({ connectionString: server.url, max: 10 })
// The server may stop before the last connection is closed.
pool.on("error", () => undefined)
await createPeople(pool)

const people = resource("people", {
  create: {
    input: Person,
    runMany: async (items) => {
      const rows = items.map(({ input }) => ({ id: randomUUID(), ...input }))
      const outcomes = await insertMany(database.db, "people", rows)
      return outcomes.map((outcome, index) => (isFailure(outcome) ? outcome : rows[index]))
    },
  },
})

const app = Fastify()
await app.register(fastifyBatch, { limits: { operations: 10_000 } })
app.batch.bulk("/people/bulk-create", people, "create")
app.post("/empty", { bodyLimit: 100 * 1024 * 1024 }, async () => ({}))
const insertOne = { name: "insert-one", text: "insert into people (id, name, email, age) values ($1, $2, $3, $4)" }
app.post("/people", async (request, reply) => {
  const person = Person.parse(request.body)
  const id = randomUUID()
  await pool.query({ ...insertOne, values: [id, person.name, person.email, person.age] })
  return reply.code(201).send({ id, ...person })
})
await app.listen({ port: 0, host: "127.0.0.1" })
const client = new Pool(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, { connections: 1 })

const valuesOf = ({ name, email, age }: Person) => [randomUUID(), name, email, age]

const oneTransaction = async (count: number): Promise<void> => {
  const connection = await pool.connect()
  try {
    await connection.query("begin")
    for (const row of makePeople(count)) await connection.query({ ...insertOne, values: valuesOf(row) })
    await connection.query("commit")
  } finally {
    connection.release()
  }
}

const autocommit = (count: number): Promise<unknown> =>
  Promise.all(makePeople(count).map((row) => pool.query({ ...insertOne, values: valuesOf(row) })))

const autocommitWithKysely = (count: number): Promise<unknown> =>
  Promise.all(
    makePeople(count).map((row) =>
      database.db
        .insertInto("people")
        .values({ id: randomUUID(), ...row })
        .execute(),
    ),
  )

const singleRequests = async (count: number): Promise<void> => {
  for (const row of makePeople(count)) await post(client, "/people", JSON.stringify(row), 201)
}

const decodeAndEncode = async (count: number): Promise<void> => {
  const body = JSON.stringify({ people: makePeople(count) })
  const parsed = JSON.parse(body) as { readonly people: ReadonlyArray<unknown> }
  const rows = parsed.people.map((person) => ({ id: randomUUID(), ...Person.parse(person) }))
  JSON.stringify({ created: count, people: rows })
}

const bulk = (count: number, failing: number): Promise<unknown> => {
  const rows = makePeople(count)
  for (let index = 0; index < failing; index++) rows[Math.floor((index * count) / failing)]!.age = -1
  return post(client, "/people/bulk-create", JSON.stringify({ people: rows }), failing === 0 ? 201 : 207)
}

for (const count of [100, 500, 1000]) {
  const cases: ReadonlyArray<Case> = [
    { name: "prepared unnest insert, by hand", run: () => insertByHand(pool, makePeople(count)) },
    { name: "empty HTTP request", run: () => post(client, "/empty", "{}", 200) },
    { name: "decoding, validating and encoding only", run: () => decodeAndEncode(count) },
    { name: "bulk-create over HTTP", run: () => bulk(count, 0) },
    { name: "bulk-create over HTTP, 1 failing row", run: () => bulk(count, 1) },
    { name: "bulk-create over HTTP, 50 failing rows", run: () => bulk(count, 50) },
    { name: "bulk-create over HTTP, all rows failing", run: () => bulk(count, count) },
    { name: "n inserts in one transaction", run: () => oneTransaction(count) },
    { name: "n prepared inserts of pg, autocommit, pool of 10", run: () => autocommit(count) },
    { name: "n single HTTP requests, sequential", run: () => singleRequests(count) },
    { name: "n inserts of Kysely, autocommit, pool of 10", run: () => autocommitWithKysely(count) },
  ]
  const times = await measure(cases, { rounds: 15, warmUp: 10 })
  const ratio = (of: (round: ReadonlyArray<number>) => number) => median(times.map(of)).toFixed(2)
  console.log(`\n${count} rows`)
  cases.forEach(({ name }, index) => {
    const milliseconds = median(times.map((round) => round[index]!)).toFixed(2)
    console.log(`  ${name.padEnd(52)} ${milliseconds.padStart(9)} ms  ${ratio((r) => r[index]! / r[0]!).padStart(7)} ×`)
  })
  const ratios: ReadonlyArray<readonly [string, (round: ReadonlyArray<number>) => number]> = [
    [
      "bulk-create minus empty request, decoding and encoding, to the insert by hand",
      (round) => (round[3]! - round[1]! - round[2]!) / round[0]!,
    ],
    ["bulk-create minus empty request, to n prepared inserts of pg", (round) => (round[3]! - round[1]!) / round[8]!],
    ["bulk-create minus empty request, to n inserts of Kysely", (round) => (round[3]! - round[1]!) / round[10]!],
    ["bulk-create with 50 failing rows, to bulk-create without", (round) => round[5]! / round[3]!],
  ]
  for (const [name, of] of ratios) console.log(`  ${name.padEnd(80)} ${ratio(of).padStart(7)} ×`)
}

await client.close()
await app.close()
await pool.end()
await database.close()
await server.stop()
