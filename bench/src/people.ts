/** The table that the benchmarks of inserts fill, and its rows. */
import { randomUUID } from "node:crypto"

import type { Pool } from "pg"
import * as z from "zod"

/** The tables of the database. */
export interface Tables {
  readonly people: { readonly id: string; readonly name: string; readonly email: string; readonly age: number }
}

/** The schema of a person that a client sends. */
export const Person = z.object({ name: z.string().min(1).max(200), email: z.email(), age: z.int() })

export type Person = z.infer<typeof Person>

/** Creates the table. */
export const createPeople = (pool: Pool): Promise<unknown> =>
  pool.query(
    "create table people (id text primary key, name text not null, email text not null unique, age integer not null check (age >= 0))",
  )

let made = 0

/** Makes people with emails that nobody had before. */
export const makePeople = (count: number): Array<Person> =>
  Array.from({ length: count }, () => {
    const number = ++made
    return { name: `Person ${number}`, email: `person.${number}@example.com`, age: number % 90 }
  })

/** Inserts people with one prepared statement, as one would by hand. */
export const insertByHand = async (pool: Pool, people: ReadonlyArray<Person>): Promise<void> => {
  await pool.query({
    name: "by-hand",
    text: `insert into people (id, name, email, age) select * from unnest($1::text[], $2::text[], $3::text[], $4::int[])`,
    values: [
      people.map(() => randomUUID()),
      people.map((person) => person.name),
      people.map((person) => person.email),
      people.map((person) => person.age),
    ],
  })
}
