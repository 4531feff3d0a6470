import { describe, expect, it } from "vitest"

import { faultRounds } from "./faultRounds.ts"

describe.each(["SIGKILL", "SIGSTOP"] as const)("after twenty-five rounds of %s during batches", (fault) => {
  it("every operation happens exactly once with keys in its transaction", async () => {
    const { duplicates, lost } = await faultRounds("in the transaction", fault, 25)
    expect({ duplicates, lost }).toEqual({ duplicates: 0, lost: 0 })
  })

  it("no operation is lost, and only those in flight happen twice, with keys in Redis", async () => {
    const { duplicates, lost, atMost } = await faultRounds("in Redis", fault, 25)
    expect(lost).toBe(0)
    expect(duplicates).toBeLessThanOrEqual(atMost)
  })
})
