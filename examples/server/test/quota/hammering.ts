import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect } from "vitest"

const hammer = join(import.meta.dirname, "hammer.ts")

/** Operations that are there at once, and that come back in a second. */
const units = 1000

interface Hammered {
  readonly admitted: number
  readonly begunAt: number
  readonly endedAt: number
}

/** Has four processes charge one tenant for so long; what they were admitted together is all that there was, and no more. */
export const hammering = async (url: string, forMs: number): Promise<void> => {
  const rule = { subject: randomBytes(32).toString("base64url"), policy: "ops", limit: units * 1000, windowMs: 1000 }
  const args = [hammer, url, String(Date.now() + 4000), String(forMs), JSON.stringify(rule)]
  const outputs = await Promise.all(
    Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, args, { env: { PATH: process.env["PATH"] } }),
    ),
  )
  const all = outputs.map(({ stdout }) => JSON.parse(stdout) as Hammered)
  const admitted = all.reduce((sum, each) => sum + each.admitted, 0)
  const begunAt = Math.min(...all.map((each) => each.begunAt))
  const there = (endedAt: number) => units + ((endedAt - begunAt) / 1000) * units
  expect(admitted).toBeLessThanOrEqual(there(Math.max(...all.map(({ endedAt }) => endedAt))))
  // As long as all of them ask, nothing that is there goes unused.
  expect(admitted).toBeGreaterThanOrEqual(there(Math.min(...all.map(({ endedAt }) => endedAt))) * 0.99)
}
