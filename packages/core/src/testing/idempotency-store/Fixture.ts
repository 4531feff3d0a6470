/**
 * What the cases of `IdempotencyStoreContract` share: keys and owners that nobody used before, times, and short calls.
 */
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

/** A store under test, alone with its records. */
export interface Backend {
  readonly store: IdempotencyStore
  /** The same records through another client: another connection, as another process has it. Default: `store`. */
  readonly other?: IdempotencyStore | undefined
  /** Makes a record vanish, as eviction and failover do; undefined where that cannot happen. */
  readonly evict?: ((key: string) => Promise<unknown>) | undefined
  /** Runs in a transaction for `settleIn`, rolled back if it rejects; undefined where the store has no `settleIn`. */
  readonly transaction?: ((run: (transaction: unknown) => Promise<void>) => Promise<void>) | undefined
  readonly close?: (() => Promise<unknown>) | undefined
}

/**
 * Milliseconds. Longer than any test takes, so that no server forgets by itself what is not yet over by a test's clock.
 */
export const leaseMs = 30_000
/** Milliseconds. */
export const pendingTtlMs = 90_000
/** Milliseconds. */
export const resultTtlMs = 600_000
/** The time at which a case begins, in milliseconds since 1970. */
export const start = 1_800_000_000_000

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// Of the 258 bits that 43 characters have room for a hash fills 256, so that the last one is any of sixteen.
const lastCharacters = "AEIMQUYcgkosw048"

const random = (length: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => alphabet[byte % 64]).join("")

const mark = random(12)
let made = 0

/** A key, or a fingerprint, of which no store has heard. Together they have every character that there is, anywhere. */
export const hash = (): string => {
  made++
  const spread = Array.from({ length: 22 }, (_, index) => alphabet[(made + index) % 64]).join("")
  return `${mark}${String(made).padStart(8, "0")}${spread}${lastCharacters[made % 16]}`
}

/** Several of them. */
export const hashes = (count: number): ReadonlyArray<string> => Array.from({ length: count }, hash)

/** An owner of whom no store has heard. */
export const makeOwner = (): string => random(22)

/** An item that claims a key. */
export const claim = (key: string, fingerprint: string, mode: AcquireItem["mode"] = "retry"): AcquireItem => ({
  key,
  fingerprint,
  mode,
})

/** One owner, who speaks through one client, of one key and one use of it. */
export interface Actor {
  readonly owner: string
  readonly acquire: (now: number, mode?: AcquireItem["mode"]) => Promise<Acquired>
  readonly complete: (now: number, result: string) => Promise<Settled>
  readonly append: (now: number, at: number, chunk: string) => Promise<Settled>
  readonly extend: (now: number) => Promise<Settled>
  readonly release: (now: number) => Promise<Settled>
}

/** The times of a call by an owner; by the store's own clock where `now` is left out. */
export const times = (owner: string, now?: number): IdempotencyTimes => ({
  owner,
  leaseMs,
  pendingTtlMs,
  resultTtlMs,
  now,
})

/** A key, and how to get hold of those who use it. */
export interface Stage {
  readonly key: string
  readonly fingerprint: string
  /** Somebody new who uses the key; for the same as everybody else unless another fingerprint is given. */
  readonly actor: (store?: IdempotencyStore, fingerprint?: string) => Actor
  readonly peek: (now: number) => Promise<IdempotencyRecord | undefined>
}

/** A key of which nothing is known yet, and those who want it. */
export const stage = (store: IdempotencyStore): Stage => {
  const key = hash()
  const fingerprint = hash()
  return {
    key,
    fingerprint,
    peek: (now) => store.peek(key, now),
    actor: (client = store, used = fingerprint) => {
      const owner = makeOwner()
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

/** Empties a store that purges. */
export const purgeAll = (store: IdempotencyStore): Promise<number> => store.purge(1_000_000, start + 1e11)

/** The only element of an answer about one item. */
export const only = <A>(answers: ReadonlyArray<A>): A => {
  expect(answers).toHaveLength(1)
  return answers[0]!
}

/** What there is to see of a record, the time that is left of a lease only where there is one. */
export const visible = (record: IdempotencyRecord | undefined) =>
  record === undefined || record.state === "pending" || record.state === "held"
    ? record
    : { state: record.state, fence: record.fence }
