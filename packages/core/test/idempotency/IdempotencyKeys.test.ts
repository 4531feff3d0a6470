import { createHash } from "node:crypto"
import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { storedReplies } from "../../src/formats/requests/storedReplies.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { partial } from "../../src/batch/Strategy.ts"
import * as IdempotencyKeys from "../../src/idempotency/IdempotencyKeys.ts"
import { jsonValues } from "../../src/idempotency/jsonValues.ts"
import { atomic } from "../support/atomic.ts"
import { keyed } from "../support/IdempotencyHarness.ts"

const digest = (text: string) => createHash("sha256").update(text).digest("base64url")
const scope: IdempotencyKeys.KeyScope = { tenant: "t", endpoint: "e", digest, format: jsonValues }

const only = async (operation: Partial<Operation<unknown>>, given: Partial<IdempotencyKeys.KeyScope> = {}) => {
  const [all] = [keyed({ key: "k", ...operation })]
  const { key, fingerprint } = [...(await IdempotencyKeys.ofOperations(all, { ...scope, ...given })).values()][0]!
  return { key, fingerprint }
}

const subRequest = (headers: Readonly<Record<string, string>>, more: object = {}) => ({
  id: "req-1",
  action: "POST",
  input: {
    method: "POST",
    url: "/users",
    headers,
    body: { name: "a" },
    poisoned: false,
    urlTemplate: undefined,
    bodyHasReferences: false,
    ...more,
  },
})

describe("the key of an operation", () => {
  it("and its fingerprint are hashed to 43 characters of base64url", async () => {
    const { key, fingerprint } = await only({ idempotencyKey: "secret", input: "payload" })
    for (const hash of [key, fingerprint]) expect(hash).toMatch(/^[\w-]{43}$/)
  })

  it("has the same hash from an asynchronous digest", async () => {
    const slow = async (text: string) => digest(text)
    expect(await only({}, { digest: slow })).toEqual(await only({}))
    const sometimesSlow: (text: string) => string | Promise<string> = (text) =>
      text.includes("k") ? slow(text) : digest(text)
    expect(await only({}, { digest: sometimesSlow })).toEqual(await only({}))
  })

  it("has the same hash from a synchronous digest, and its text is not kept", async () => {
    const sync = Object.assign((text: string) => digest(text), { isSync: true as const })
    const operations = keyed({ key: "secret", input: "payload" })
    const [hashed] = (await IdempotencyKeys.ofOperations(operations, { ...scope, digest: sync })).values()
    expect(hashed).toStrictEqual(await only({ idempotencyKey: "secret", input: "payload" }))
    expect(inspect(hashed, { depth: 9, showHidden: true })).not.toMatch(/secret|payload/)
  })

  it("has a different hash for every tenant, for no tenant, and for every endpoint", async () => {
    const scopes = [{}, { tenant: undefined }, { tenant: "null" }, { tenant: "" }, { tenant: "t," }, { endpoint: "f" }]
    const keys = await Promise.all(scopes.map(async (given) => (await only({}, given)).key))
    expect(new Set(keys).size).toBe(scopes.length)
  })

  it("has a fingerprint of the action, the id and the input as it was sent", async () => {
    const { fingerprint } = await only({ input: { a: 1, b: [2] } })
    expect((await only({ input: { b: [2.0], a: 1 } })).fingerprint).toBe(fingerprint)
    for (const other of [
      { input: { a: "1", b: [2] } },
      { action: "update" },
      { id: "u_1" },
      { input: { a: 1, b: [2], c: null } },
    ]) {
      expect((await only({ input: { a: 1, b: [2] }, ...other })).fingerprint).not.toBe(fingerprint)
    }
  })

  it("of a sub-request has a fingerprint without its id and without headers that differ in every attempt", async () => {
    const format = storedReplies()
    const given = { format }
    const { fingerprint } = await only(subRequest({ "content-type": "application/json" }), given)
    const perAttempt = {
      traceparent: "00-1",
      tracestate: "a=1",
      "x-request-id": "1",
      "idempotency-key": "k",
      "user-agent": "x",
      date: "now",
    }
    const again = await only(
      { ...subRequest({ "content-type": "application/json", ...perAttempt }), id: "req-2" },
      given,
    )
    expect(again.fingerprint).toBe(fingerprint)
    const others = [
      subRequest({ "content-type": "text/plain" }),
      subRequest({ "content-type": "application/json", "x-dry-run": "1" }),
      subRequest({ "content-type": "application/json", authorization: "Bearer other" }),
      subRequest({ "content-type": "application/json" }, { url: "/users?x" }),
      subRequest({ "content-type": "application/json" }, { body: undefined }),
      { ...subRequest({ "content-type": "application/json" }), action: "PUT" },
    ]
    for (const other of others) expect((await only(other, given)).fingerprint).not.toBe(fingerprint)
  })

  it("is not hashed where it is missing or the operation has a result", async () => {
    const all = keyed(undefined, { key: "a", result: OperationResult.success(1) }, "b")
    expect([...(await IdempotencyKeys.ofOperations(all, scope)).keys()]).toEqual([all[2]])
  })

  it("accepts inputs that JSON does not have", async () => {
    for (const input of [
      1n,
      Number.POSITIVE_INFINITY,
      "\ud800",
      { __proto__: null, a: undefined },
      JSON.parse(`{"__proto__":1}`),
    ]) {
      expect((await only({ input })).fingerprint).toHaveLength(43)
    }
  })
})

describe("the key of a batch", () => {
  const of = (operations: ReadonlyArray<Operation>, key = "k", strategy = partial as typeof atomic | typeof partial) =>
    IdempotencyKeys.ofBatch({ operations, strategy }, key, scope)

  it("has a different hash than the same key of an operation or of a part of a batch", async () => {
    const operations = keyed("k")
    const keys = [
      (await of(operations)).key,
      (await IdempotencyKeys.ofOperations(operations, scope)).get(operations[0]!)!.key,
      (await IdempotencyKeys.ofParts(operations, "k", scope)).get(operations[0]!)!.key,
      (await of(operations, `k",0`)).key,
    ]
    expect(new Set(keys).size).toBe(4)
  })

  it("has a fingerprint of the strategy and of all operations, also refused ones", async () => {
    const { fingerprint } = await of(keyed("a"))
    expect((await of(keyed("a"), "k", atomic)).fingerprint).not.toBe(fingerprint)
    const refused = keyed({ key: "a", result: OperationResult.success(1) })
    expect((await of(refused)).fingerprint).toBe(fingerprint)
  })
})
