/** Creating n rows in PostgreSQL: bulk-create over HTTP, against what one would write by hand. */
import { randomUUID } from "node:crypto"
import type { AddressInfo } from "node:net"

import { fastifyBatch } from "@multistatus/adapter-fastify"
import { isFailure, resource } from "@multistatus/core"
import { insertMany, migrate, openDatabase } from "@multistatus/store-sql"
import { startPostgres } from "@multistatus/test-services"
import Fastify from "fastify"
import { Pool as PostgresPool } from "pg"
import { Pool } from "undici"
import * as z from "zod"

import { type Case, measure, median } from "./Rounds.ts"

interface Tables {
  readonly people: { readonly id: string; readonly name: string; readonly email: string; readonly age: number }
}

const server = await startPostgres({ durable: true })
const database = await openDatabase<Tables>(server.url, { maxConnections: 10 })
await migrate(database.db, "postgres")
const pool = new PostgresPool({ connectionString: server.url, max: 10 })
// The server may be gone before the last connection is.
pool.on("error", () => undefined)
await pool.query(
  "create table people (id text primary key, name text not null, email text not null unique, age integer not null check (age >= 0))",
)

const Person = z.object({ name: z.string().min(1).max(200), email: z.email(), age: z.int() })
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

const post = async (path: string, body: string, expected: number): Promise<void> => {
  const response = await client.request({ method: "POST", path, body, headers: { "content-type": "application/json" } })
  const text = await response.body.text()
  if (response.statusCode !== expected)
    throw new Error(`${path} answered ${response.statusCode}: ${text.slice(0, 500)}`)
}

let made = 0
const makePeople = (count: number) =>
  Array.from({ length: count }, () => {
    const number = ++made
    return { name: `Person ${number}`, email: `person.${number}@example.com`, age: number % 90 }
  })

const byHand = async (count: number): Promise<void> => {
  const rows = makePeople(count)
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

const valuesOf = ({ name, email, age }: { name: string; email: string; age: number }) => [
  randomUUID(),
  name,
  email,
  age,
]

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
  for (const row of makePeople(count)) await post("/people", JSON.stringify(row), 201)
}

const decodeAndEncode = async (count: number): Promise<void> => {
  const body = JSON.stringify({ people: makePeople(count) })
  const parsed = JSON.parse(body) as { readonly people: ReadonlyArray<unknown> }
  const rows = parsed.people.map((person) => ({ id: randomUUID(), ...Person.parse(person) }))
  JSON.stringify({ created: count, people: rows })
}

const bulk = (count: number, offenders: number): Promise<void> => {
  const rows = makePeople(count)
  for (let index = 0; index < offenders; index++) rows[Math.floor((index * count) / offenders)]!.age = -1
  return post("/people/bulk-create", JSON.stringify({ people: rows }), offenders === 0 ? 201 : 207)
}

const empty = (): Promise<void> => post("/empty", "{}", 200)

for (const count of [100, 500, 1000]) {
  const cases: ReadonlyArray<Case> = [
    { name: "bare prepared unnest insert, by hand", run: () => byHand(count) },
    { name: "an empty HTTP request", run: empty },
    { name: "decoding, validating and encoding alone", run: () => decodeAndEncode(count) },
    { name: "bulk-create over HTTP", run: () => bulk(count, 0) },
    { name: "bulk-create over HTTP, 1 offender", run: () => bulk(count, 1) },
    { name: "bulk-create over HTTP, 50 offenders", run: () => bulk(count, 50) },
    { name: "bulk-create over HTTP, nothing but offenders", run: () => bulk(count, count) },
    { name: "one transaction of n inserts", run: () => oneTransaction(count) },
    { name: "n prepared inserts of pg, each by itself, pool of 10", run: () => autocommit(count) },
    { name: "n single HTTP requests, one after another", run: () => singleRequests(count) },
    { name: "n inserts of Kysely, each by itself, pool of 10", run: () => autocommitWithKysely(count) },
  ]
  const times = await measure(cases, { rounds: 15, warmUp: 10 })
  const ratio = (of: (round: ReadonlyArray<number>) => number) => median(times.map(of)).toFixed(2)
  console.log(`\n${count} rows`)
  cases.forEach(({ name }, index) => {
    const milliseconds = median(times.map((round) => round[index]!)).toFixed(2)
    console.log(`  ${name.padEnd(52)} ${milliseconds.padStart(9)} ms  ${ratio((r) => r[index]! / r[0]!).padStart(7)} ×`)
  })
  const summary: ReadonlyArray<readonly [string, (round: ReadonlyArray<number>) => number]> = [
    [
      "bulk-create less the empty request, decoding and encoding, to the bare insert",
      (round) => (round[3]! - round[1]! - round[2]!) / round[0]!,
    ],
    ["bulk-create less the empty request, to n prepared inserts of pg", (round) => (round[3]! - round[1]!) / round[8]!],
    ["bulk-create less the empty request, to n inserts of Kysely", (round) => (round[3]! - round[1]!) / round[10]!],
    ["bulk-create with 50 offenders, to itself without any", (round) => round[5]! / round[3]!],
  ]
  for (const [what, of] of summary) console.log(`  ${what.padEnd(80)} ${ratio(of).padStart(7)} ×`)
}

await client.close()
await app.close()
await pool.end()
await database.close()
await server.stop()
