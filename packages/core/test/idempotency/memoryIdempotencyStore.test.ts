import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { describe, expect, it } from "vitest"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"

let now = Date.now()

IdempotencyStoreContract.suite("memory", () => ({ store: memoryIdempotencyStore({ now: () => now }) }), {
  advance: async (ms) => (now += ms),
})

IdempotencyStoreContract.differential(
  "memory and memory",
  () => ({ store: memoryIdempotencyStore() }),
  () => ({ store: memoryIdempotencyStore() }),
  { commands: 2_000 },
)

describe("memoryIdempotencyStore", () => {
  const times = { owner: "o".repeat(22), leaseMs: 1_000, pendingTtlMs: 2_000, resultTtlMs: 5_000 }
  const claim = (key: string) => ({ key: key.repeat(43), fingerprint: "f".repeat(43), mode: "retry" as const })

  it("rejects new keys when it is full, and removes no record that has not expired", async () => {
    const store = memoryIdempotencyStore({ maxRecords: 2, now: () => 0 })
    await store.acquire([claim("a"), claim("b")], times)
    await expect(store.acquire([claim("b"), claim("c")], times)).rejects.toThrow("2 of at most 2 records")
    expect(await store.acquire([claim("a"), claim("b")], times)).toMatchObject([{ _tag: "mine" }, { _tag: "mine" }])
  })

  it("makes room by removing expired records", async () => {
    const store = memoryIdempotencyStore({ maxRecords: 2 })
    await store.acquire([claim("a"), claim("b")], { ...times, now: 0 })
    const later = { ...times, now: times.pendingTtlMs }
    expect(await store.acquire([claim("c"), claim("d")], later)).toMatchObject([{ _tag: "fresh" }, { _tag: "fresh" }])
  })
})
