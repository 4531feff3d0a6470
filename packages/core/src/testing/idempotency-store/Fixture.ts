/** Fixtures of `IdempotencyStoreContract`: unused keys and owners, times, and shorthands for calls. */
import { expect } from "vitest"
import type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyStore,
  IdempotencyTimes,
  SettleAction,
  Settled,
} from "../../idempotency/IdempotencyStore.ts"

/** A store under test. Nobody else writes to its records. */
export interface Backend {
  readonly store: IdempotencyStore
  /** A second client of the same records, with a connection of its own, as another process has it. Default: `store`. */
  readonly other?: IdempotencyStore | undefined
  /** Loses a record, as eviction and failover do; undefined where that cannot happen. */
  readonly evict?: ((key: string) => Promise<unknown>) | undefined
  /** Runs a function in a transaction, and rolls back if it rejects; undefined where the store has no `settleIn`. */
  readonly transaction?: ((run: (transaction: unknown) => Promise<void>) => Promise<void>) | undefined
  readonly close?: (() => Promise<unknown>) | undefined
}

/** Milliseconds. Longer than a test takes, so that servers with a clock of their own expire nothing during a test. */
export const leaseMs = 30_000
/** Milliseconds. */
export const pendingTtlMs = 90_000
/** Milliseconds. */
export const resultTtlMs = 600_000
/** The time at which a test case starts, in milliseconds since 1970. */
export const start = 1_800_000_000_000

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// A hash has 256 bits and 43 characters have room for 258, so the last character is one of sixteen.
const lastCharacters = "AEIMQUYcgkosw048"

const random = (length: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => alphabet[byte % 64]).join("")

/** Distinguishes the hashes of this process from those of others. */
const processId = random(12)
let hashCount = 0

/** Makes a key or fingerprint that was never used. Together they have every character of base64url in most places. */
export const newHash = (): string => {
  hashCount++
  const varied = Array.from({ length: 22 }, (_, index) => alphabet[(hashCount + index) % 64]).join("")
  return `${processId}${String(hashCount).padStart(8, "0")}${varied}${lastCharacters[hashCount % 16]}`
}

/** Makes several of them. */
export const newHashes = (count: number): ReadonlyArray<string> => Array.from({ length: count }, newHash)

/** Makes the id of an owner that was never used. */
export const newOwnerId = (): string => random(22)

/** Makes an item that claims a key. */
export const claim = (key: string, fingerprint: string, mode: AcquireItem["mode"] = "retry"): AcquireItem => ({
  key,
  fingerprint,
  mode,
})

/** The calls of one owner about one key, with one fingerprint and through one client. */
export interface KeyOwner {
  readonly owner: string
  readonly acquire: (now: number, mode?: AcquireItem["mode"]) => Promise<Acquired>
  readonly complete: (now: number, result: string) => Promise<Settled>
  readonly append: (now: number, at: number, chunk: string) => Promise<Settled>
  readonly extend: (now: number) => Promise<Settled>
  readonly release: (now: number) => Promise<Settled>
}

/** Makes the times of a call. Without `now` the store's own clock counts. */
export const times = (owner: string, now?: number): IdempotencyTimes => ({
  owner,
  leaseMs,
  pendingTtlMs,
  resultTtlMs,
  now,
})

/** A key that was never used. */
export interface NewKey {
  readonly key: string
  readonly fingerprint: string
  /** Makes another owner that uses the key. Default: through the first client, with the same fingerprint. */
  readonly newOwner: (store?: IdempotencyStore, fingerprint?: string) => KeyOwner
  readonly peek: (now: number) => Promise<IdempotencyRecord | undefined>
}

/** Makes a key that was never used. */
export const newKey = (store: IdempotencyStore): NewKey => {
  const key = newHash()
  const fingerprint = newHash()
  return {
    key,
    fingerprint,
    peek: (now) => store.peek(key, now),
    newOwner: (client = store, used = fingerprint) => {
      const owner = newOwnerId()
      const settle = async (now: number, action: SettleAction) =>
        only(await client.settle([{ key, fingerprint: used, action }], times(owner, now)))
      return {
        owner,
        acquire: async (now, mode) => only(await client.acquire([claim(key, used, mode)], times(owner, now))),
        complete: (now, result) => settle(now, { _tag: "complete", result }),
        append: (now, at, chunk) => settle(now, { _tag: "append", at, chunk }),
        extend: (now) => settle(now, { _tag: "extend" }),
        release: (now) => settle(now, { _tag: "release" }),
      }
    },
  }
}

/** Removes all records from a store that purges. */
export const purgeAll = (store: IdempotencyStore): Promise<number> => store.purge(1_000_000, start + 1e11)

/** Returns the only element of an answer about one item. */
export const only = <A>(answers: ReadonlyArray<A>): A => {
  expect(answers).toHaveLength(1)
  return answers[0]!
}

/** Returns the members of a record that stores agree on: only claims have a lease. */
export const comparable = (record: IdempotencyRecord | undefined) =>
  record === undefined || record.state === "pending" || record.state === "held"
    ? record
    : { state: record.state, fence: record.fence }
