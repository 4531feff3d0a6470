/** Records that were changed outside of the store: their operations never run again. */
import { randomBytes } from "node:crypto"

import { aesGcmResults, type BatchOptions } from "@multistatus/core"
import { type IdempotencyStore } from "@multistatus/core/store"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { freshDatabase } from "@multistatus/test-services"
import { type Kysely, sql } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import type { Results } from "../batch/Api.ts"
import { databases } from "../databases.ts"
import { takingTurns } from "../batch/ServerProcess.ts"
import { createTable, type EffectApp, type Effects, namesIn, startEffectApp } from "./faults/effectApp.ts"

interface Records {
  readonly db: Kysely<Effects>
  readonly store: IdempotencyStore
  /** Changes the stored texts of all results. */
  readonly change: (make: (texts: ReadonlyArray<string>) => ReadonlyArray<string>) => Promise<void>
  readonly clear: () => Promise<unknown>
  readonly close: () => Promise<void>
}

const inDatabase = async (url: string): Promise<Records> => {
  const { db, dialect, close } = await openDatabase<Effects>(url)
  await migrate(db, dialect)
  return {
    db,
    store: sqlIdempotencyStore(db),
    change: async (make) => {
      const { rows } = await sql<{ readonly key_hash: string; readonly payload: string }>`
        select key_hash, payload from multistatus_idempotency order by key_hash`.execute(db)
      const texts = make(rows.map(({ payload }) => payload))
      for (const [index, { key_hash }] of rows.entries()) {
        await sql`update multistatus_idempotency set payload = ${texts[index]} where key_hash = ${key_hash}`.execute(db)
      }
    },
    clear: () => sql`delete from multistatus_idempotency`.execute(db),
    close,
  }
}

/** Characters of a record in Redis that precede its text. */
const headLength = 110

const inRedis = async (): Promise<Records> => {
  const client = redisClient(await freshDatabase(inject("redisUrl")))
  await checkRedis(client)
  const { db, close } = await openDatabase<Effects>(await databases.postgres())
  return {
    db,
    store: redisIdempotencyStore(client),
    change: async (make) => {
      const names = (await client.keys("*")).sort()
      const records = (await client.mget(names)).map((record) => record ?? "")
      const texts = make(records.map((record) => record.slice(headLength)))
      for (const [index, name] of names.entries()) {
        await client.set(name, records[index]!.slice(0, headLength) + texts[index]!, "KEEPTTL")
      }
    },
    clear: () => client.flushdb(),
    close: async () => {
      client.disconnect()
      await close()
    },
  }
}

const stores: Readonly<Record<string, () => Promise<Records>>> = {
  SQLite: async () => inDatabase(await databases.sqlite()),
  PostgreSQL: async () => inDatabase(await databases.postgres()),
  MariaDB: async () => inDatabase(await databases.mariadb()),
  Redis: inRedis,
}

const replaced = (text: string, at: number, by: string) => text.slice(0, at) + by + text.slice(at + 1)
const flipped = (text: string, at: number) => replaced(text, at, text[at] === "A" ? "B" : "A")

/** Damages of results that are stored as they are. */
const damages: Readonly<Record<string, (texts: ReadonlyArray<string>) => ReadonlyArray<string>>> = {
  "cut short": (texts) => texts.map((text) => text.slice(0, -3)),
  "cut to nothing": (texts) => texts.map(() => ""),
  "of another version": (texts) => texts.map((text) => text.replace(/(^|:)1\{/, "$10{")),
  "no JSON": (texts) => texts.map((text) => text.replace(/\{/, "[")),
  "another kind of JSON": (texts) => texts.map((text) => text.replace(/"o":"success"/, `"o":"sucess!"`)),
}

/** Damages of encrypted results. */
const encryptedDamages: typeof damages = {
  "cut short": damages["cut short"]!,
  "changed in the middle": (texts) => texts.map((text) => flipped(text, text.length >> 1)),
  "changed at the end": (texts) => texts.map((text) => flipped(text, text.length - 4)),
  "swapped with each other": (texts) => texts.toReversed(),
}

const encrypted = aesGcmResults(randomBytes(32))

const cases = takingTurns(Object.keys(stores)).flatMap((given) => [
  { ...given, how: "as they are", table: damages, codec: undefined },
  { ...given, how: "encrypted", table: encryptedDamages, codec: encrypted },
])

describe.each(cases)("results in $name, stored $how, on $framework", ({ framework, name, table, codec }) => {
  let records: Records
  let app: EffectApp

  beforeAll(async () => {
    records = await stores[name]!()
    await createTable(records.db)
    const idempotency: BatchOptions["idempotency"] = { store: records.store, codec }
    app = await startEffectApp(framework, { db: records.db, idempotency })
  })
  afterAll(async () => {
    await app?.close()
    await records?.close()
  })

  const send = async (operations: ReadonlyArray<object>, headers: Readonly<Record<string, string>>) => {
    const response = await fetch(`${app.origin}/effects/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ operations }),
    })
    const { results } = (await response.json()) as Results
    return results.map(({ error }) => error?.code ?? "ok")
  }

  it.each(Object.entries(table))("that are %s are answered as unknown, and nothing runs again", async (_, damage) => {
    const add = (effect: string, key?: string) => ({
      action: "add",
      data: { name: effect },
      ...(key !== undefined && { idempotency_key: key }),
    })
    const batches = {
      "operations with keys": () => send([add("a", "a"), add("b", "b")], {}),
      "a batch with a key": () => send([add("c")], { "idempotency-key": "batch" }),
    }
    for (const [what, batch] of Object.entries(batches)) {
      await records.clear()
      if (what === "a batch with a key" && damage === table["swapped with each other"]) continue
      const before = await namesIn(records.db)
      const first = await batch()
      expect(first).toEqual(first.map(() => "ok"))
      const after = await namesIn(records.db)
      expect(after).toHaveLength(before.length + first.length)
      await records.change(damage)
      for (let round = 0; round < 2; round++) expect(await batch()).toEqual(first.map(() => "OUTCOME_UNKNOWN"))
      expect(await namesIn(records.db)).toEqual(after)
    }
  })
})
