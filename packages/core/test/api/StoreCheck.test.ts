import { describe, expect, it } from "vitest"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { memoryQuotaStore } from "../../src/quota/memoryQuotaStore.ts"
import { make, users } from "../support/endpoints.ts"

/** Creates two endpoints whose stores lack their tables; returns what is reported once both stores were checked. */
const createEndpoints = async (sameTransaction?: false) => {
  const reported: Array<unknown> = []
  const checked = Promise.withResolvers<void>()
  const check = (table: string) => async () => {
    throw new Error(`The table ${table} is missing: run migrate(db, "sqlite")`)
  }
  const batch = make({
    tenant: () => "t",
    idempotency: {
      store: { ...memoryIdempotencyStore(), check: check("multistatus_idempotency") },
      ...(sameTransaction !== undefined && { sameTransaction }),
    },
    quota: {
      store: { ...memoryQuotaStore(), check: check("multistatus_quota") },
      operations: 10,
      per: "1 minute",
    },
    onUnexpected: (error, { endpoint }) => {
      reported.push([endpoint, (error as Error).message])
      if (reported.length === 2) checked.resolve()
    },
  })
  batch.operations(users)
  await checked.promise
  return { batch, reported }
}

describe("a store that is not ready", () => {
  it("is reported when the first endpoint that uses it is created", async () => {
    const { batch, reported } = await createEndpoints()
    batch.bulk(users, "create")
    await new Promise((resolve) => setImmediate(resolve))
    expect(reported).toEqual([
      ["users", `The table multistatus_idempotency is missing: run migrate(db, "sqlite")`],
      ["users", `The table multistatus_quota is missing: run migrate(db, "sqlite")`],
    ])
  })

  it("is also reported where the store is in another database", async () => {
    expect((await createEndpoints(false)).reported).toHaveLength(2)
  })
})
