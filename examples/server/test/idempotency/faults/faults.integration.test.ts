import { describe, expect, it } from "vitest"

import { faultRounds } from "./faultRounds.ts"

describe.concurrent.each(["SIGKILL", "SIGSTOP"] as const)("after %s during batches, with retries", (fault) => {
  it("every operation happens exactly once with keys in its transaction", { timeout: 120_000 }, async () => {
    const { duplicates, lost } = await faultRounds("in the transaction", fault, 2)
    expect({ duplicates, lost }).toEqual({ duplicates: 0, lost: 0 })
  })

  it(
    "no operation is lost, and only those in flight happen twice, with keys in Redis",
    { timeout: 120_000 },
    async () => {
      const { duplicates, lost, atMost } = await faultRounds("in Redis", fault, 2)
      expect(lost).toBe(0)
      expect(duplicates).toBeLessThanOrEqual(atMost)
    },
  )
})
