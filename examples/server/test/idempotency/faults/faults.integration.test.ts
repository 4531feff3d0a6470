import { describe, expect, it } from "vitest"

import { concurrency, faultRounds } from "./faultRounds.ts"

describe.concurrent.each(["SIGKILL", "SIGSTOP"] as const)("after %s in the midst of batches, with retries", (fault) => {
  it("every operation has happened exactly once, with keys in its transaction", { timeout: 120_000 }, async () => {
    expect(await faultRounds("in the transaction", fault, 3)).toMatchObject({ duplicates: 0, lost: 0 })
  })

  it("none is lost and few happen twice, with keys in Redis", { timeout: 120_000 }, async () => {
    const { faults, duplicates, lost } = await faultRounds("in Redis", fault, 4)
    expect(lost).toBe(0)
    expect(duplicates).toBeLessThanOrEqual(2 * concurrency * faults)
  })
})
