import {
  ActionDispatcher,
  BatchEndpoint,
  BatchEngine,
  Idempotency,
  Jobs,
  Quota,
  StrategySelector,
} from "@multistatus/core/effect"
import { resource } from "@multistatus/core"
import { OperationsCodec } from "@multistatus/core/format"
import { freshDatabase } from "@multistatus/test-services"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { sql } from "kysely"
import { describe, expect, inject, it } from "vitest"
import { SqlDatabase, SqlIdempotencyStore, SqlJobs, SqlQuotaStore, SqlUnitOfWork } from "../src/effect.ts"
import { migrate } from "../src/migrations/migrate.ts"

const post = (operations: ReadonlyArray<unknown>) =>
  ({
    method: "POST",
    headers: { "content-type": "application/json" },
    body: { _tag: "Parsed", value: { operations } },
    isSubRequest: false,
    signal: new AbortController().signal,
    raw: undefined,
  }) as const

const migrated = Layer.effectDiscard(
  Effect.gen(function* () {
    const { db, dialect } = yield* SqlDatabase
    yield* Effect.promise(() => migrate(db, dialect))
  }),
)

/** The engine on the stores of one database. */
const services = (url: string) =>
  BatchEngine.layer.pipe(
    Layer.provide(StrategySelector.layer({ default: { _tag: "atomic" }, choices: [] })),
    Layer.provideMerge(
      Layer.mergeAll(
        Idempotency.layer({ unsafeScope: "global" }),
        Quota.layer({ operations: 10, per: "1 hour" }),
        Jobs.layer({ workers: 0 }),
      ),
    ),
    Layer.provideMerge(
      Layer.mergeAll(SqlIdempotencyStore.layer(), SqlQuotaStore.layer(), SqlUnitOfWork.layer(), SqlJobs.layer()),
    ),
    Layer.provideMerge(migrated),
    Layer.provideMerge(SqlDatabase.layer(url)),
  )

const urls: ReadonlyArray<readonly [string, () => Promise<string>]> = [
  ["SQLite", async () => "sqlite::memory:"],
  ["PostgreSQL", () => freshDatabase(inject("postgresUrl"))],
]

describe.each(urls)("layers of stores on %s", (_name, urlOf) => {
  it("keep results and quotas, open transactions, and close their connections with the scope", async () => {
    const program = Effect.gen(function* () {
      const { db } = yield* SqlDatabase
      let runs = 0
      const things = resource("things", {
        do: { identified: false, run: (_: unknown, { tx }) => ({ id: String(++runs), inTransaction: tx !== db }) },
      })
      const { handle } = yield* BatchEndpoint.make({
        name: "things",
        codec: OperationsCodec.make({ keyed: true, data: true }),
        dispatcher: (batch) => ActionDispatcher.make(things, batch),
      })
      const request = post([{ action: "do", data: {}, idempotency_key: "k" }])
      const first = yield* handle(request)
      const second = yield* handle(request)
      expect(JSON.parse(first.body)).toMatchObject({ results: [{ id: "1", data: { inTransaction: true } }] })
      expect(JSON.parse(second.body)).toMatchObject({ results: [{ status: "success", id: "1", replayed: true }] })
      expect(second.headers["ratelimit"]).toContain(`"ops";r=9`)
      return db
    })
    const db = await Effect.runPromise(Effect.provide(program, services(await urlOf())))
    await expect(sql`SELECT 1`.execute(db)).rejects.toThrow()
  })
})

it("a database that cannot be opened is an error of the layer", async () => {
  const error = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(SqlDatabase.layer("oracle://x")))))
  expect(error).toMatchObject({ _tag: "SqlDatabaseError", message: expect.stringContaining("oracle") })
})
