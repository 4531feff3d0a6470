import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect } from "vitest"

const hammer = join(import.meta.dirname, "hammer.ts")

/** Operations that are there at once, and that come back in a second. */
const units = 1000

/** Milliseconds in which the processes start, so that they begin together. */
const startMs = 3000

/** Milliseconds in which a busy machine may not run any of the processes. */
const busyMs = 100

interface Hammered {
  readonly admitted: number
  readonly begunAt: number
  readonly endedAt: number
}

/**
 * Lets four processes charge one tenant for some milliseconds. Together they are admitted no more than the quota has, and
 * no less as long as all of them ask.
 */
export const hammering = async (url: string, forMs: number): Promise<void> => {
  const rule = { subject: randomBytes(32).toString("base64url"), policy: "ops", limit: units * 1000, windowMs: 1000 }
  const args = [hammer, url, String(Date.now() + startMs), String(forMs), JSON.stringify(rule)]
  const env = { PATH: process.env["PATH"], NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] }
  const outputs = await Promise.all(
    Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, args, { env })),
  )
  const all = outputs.map(({ stdout }) => JSON.parse(stdout) as Hammered)
  const admitted = all.reduce((sum, each) => sum + each.admitted, 0)
  const begunAt = Math.min(...all.map((each) => each.begunAt))
  const available = (endedAt: number) => units + ((endedAt - begunAt) / 1000) * units
  expect(admitted).toBeLessThanOrEqual(available(Math.max(...all.map(({ endedAt }) => endedAt))))
  // The units of the last moments are left where the machine let all four wait.
  const least = available(Math.min(...all.map(({ endedAt }) => endedAt)) - busyMs)
  expect(admitted).toBeGreaterThanOrEqual(least * 0.99)
}
