import { describe, expect, it } from "vitest"

import { faultRounds } from "./faultRounds.ts"

describe.concurrent.each(["SIGKILL", "SIGSTOP"] as const)("after %s in the midst of batches, with retries", (fault) => {
  it("every operation has happened exactly once, with keys in its transaction", { timeout: 120_000 }, async () => {
    const { duplicates, lost } = await faultRounds("in the transaction", fault, 2)
    expect([duplicates, lost]).toEqual([0, 0])
  })

  it(
    "none is lost, and twice happens at most what was in flight, with keys in Redis",
    { timeout: 120_000 },
    async () => {
      const { duplicates, lost, atMost } = await faultRounds("in Redis", fault, 2)
      expect(lost).toBe(0)
      expect(duplicates).toBeLessThanOrEqual(atMost)
    },
  )
})
