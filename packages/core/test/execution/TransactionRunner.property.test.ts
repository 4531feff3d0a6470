import * as fc from "fast-check"
import { expect, it } from "vitest"
import type { CommitEnd } from "../support/FakeDatabase.ts"
import { codes, putEndpoint, sendBatch } from "../support/putEndpoint.ts"

const operation = fc.record({
  action: fc.constantFrom("put", "put", "puts", "puts", "refuse"),
  end: fc.constantFrom(undefined, undefined, undefined, undefined, "fail" as const, "throw" as const),
})

const commit: fc.Arbitrary<CommitEnd> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<CommitEnd>("committed", "transient") },
  { weight: 1, arbitrary: fc.constant(new Error("refused")) },
)

it("exactly the operations with the status success have taken effect, whatever the outcome of transactions", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 1, maxLength: 20 }),
      fc.array(commit, { maxLength: 8 }),
      fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
      fc.constantFrom("sequential" as const, 3),
      fc.boolean(),
      async (inputs, commits, transactionSize, concurrency, atomic) => {
        const { endpoint, database, batch } = putEndpoint({ commits: [...commits], transactionSize, concurrency })
        const operations = inputs.map(({ action, end }, index) => ({ action, data: { key: `${index}`, end } }))
        const { status, json } = await sendBatch(endpoint, { atomic, operations })
        await batch.close()
        if (atomic && status !== 200) {
          expect(json).toMatchObject({ status: "failed", operations_applied: 0 })
          expect(database.keys).toEqual([])
          return
        }
        const results = codes(json)
        const succeeded = operations.flatMap(({ data }, index) => (results[index] === "success" ? [data.key] : []))
        // Outside of a transaction, a failed operation is not undone.
        const committed =
          transactionSize === undefined && !atomic
            ? database.keys.filter((key) => succeeded.includes(key))
            : database.keys
        expect([...committed].sort()).toEqual([...succeeded].sort())
        inputs.forEach(({ action, end }, index) => {
          if (end !== undefined || action === "refuse") expect(results[index]).not.toBe("success")
        })
      },
    ),
    { numRuns: 300 },
  )
})
