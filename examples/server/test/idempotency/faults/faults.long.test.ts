import { describe, expect, it } from "vitest"

import { faultRounds } from "./faultRounds.ts"

describe.each(["SIGKILL", "SIGSTOP"] as const)("after twenty-five rounds of %s in the midst of batches", (fault) => {
  it("every operation has happened exactly once, with keys in its transaction", async () => {
    const { duplicates, lost } = await faultRounds("in the transaction", fault, 25)
    expect([duplicates, lost]).toEqual([0, 0])
  })

  it("none is lost, and twice happened at most what was in flight, with keys in Redis", async () => {
    const { duplicates, lost, atMost } = await faultRounds("in Redis", fault, 25)
    expect(lost).toBe(0)
    expect(duplicates).toBeLessThanOrEqual(atMost)
  })
})
