/** Batches under a quota, and what answers tell of it. */
import assert from "node:assert/strict"
import { parseList } from "structured-headers"
import type { Answer, Api, Asking } from "../batch/Api.ts"

/** Operations that create users, with emails that nobody else has. */
export const creates = (count: number) =>
  Array.from({ length: count }, () => ({ action: "create", data: { name: "Quota", email: `q${made++}@example.com` } }))

let made = 0

/** Operations that take so many milliseconds. */
export const sleeps = (count: number, ms: number) =>
  Array.from({ length: count }, () => ({ action: "sleep", data: { ms } }))

/** What the header fields say, read as RFC 9651 has it: of each policy the quota, what is left, and the seconds. */
export const policiesOf = ({ headers }: Pick<Answer, "headers">) => {
  const policies = parseList(String(headers["ratelimit-policy"]))
  const standings = parseList(String(headers["ratelimit"]))
  assert.equal(policies.length, standings.length)
  return standings.map(([name, standing], index) => {
    const [policy, quota] = policies[index]!
    assert.equal(policy, name)
    return {
      name,
      limit: quota.get("q"),
      window: quota.get("w"),
      left: standing.get("r") as number,
      seconds: standing.get("t") as number,
    }
  })
}

/** What is left of the only policy. */
export const left = (answer: Pick<Answer, "headers">): number => policiesOf(answer)[0]!.left

/** Sends operations as a tenant of its own. */
export const as =
  (api: Api, tenant: string) =>
  (operations: ReadonlyArray<unknown>, members: object = {}, headers: Asking["headers"] = {}) =>
    api.operations(operations, members, { "x-api-key": tenant, ...headers })
