/** Hashes idempotency keys together with their scope, and makes fingerprints of the requests that use them. */
import type { Batch } from "../batch/Batch.ts"
import { canonicalJson } from "./CanonicalJson.ts"
import { failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { Digest, SyncDigest } from "../platform/Digest.ts"

/** Part of every hash. A change in how hashes are made has to change it, so that old records do not match. */
const version = "v1"

/** The scope of keys, and how they are hashed. */
export interface KeyScope {
  readonly tenant: string | undefined
  readonly endpoint: string
  readonly digest: Digest
  readonly format: ValueFormat
}

/** A hashed key, and the fingerprint of the request that uses it. */
export interface HashedKey {
  readonly key: string
  readonly fingerprint: string
}

// A JSON array separates its parts whatever they contain, so no tenant can be named so that it gets another one's keys.
const scoped = ({ tenant, endpoint }: KeyScope, kind: "operation" | "batch", ...key: ReadonlyArray<string | number>) =>
  JSON.stringify([version, tenant ?? null, endpoint, kind, ...key])

// Canonical JSON that is concatenated by hand, because this runs for every operation.
const fingerprintText = (operation: Operation, { purpose }: ValueFormat): string =>
  `["${version}",${text(operation.action)},${purpose === undefined ? defaultPurpose(operation) : text(purpose(operation))}]`

const defaultPurpose = ({ id, input }: Operation): string => `[${text(id)},${text(input)}]`

const text = (value: unknown): string => (value === undefined ? "null" : canonicalJson(value))

/**
 * Hashes the keys of operations that have one and no result yet.
 *
 * **Details** Call it before inputs are validated and replaced: fingerprints are made of inputs as they were sent. An
 * operation that repeats the key and the request of an earlier one becomes its duplicate; one that repeats only the key is
 * refused.
 */
export const ofOperations = async (
  operations: ReadonlyArray<Operation>,
  scope: KeyScope,
): Promise<Map<Operation, HashedKey>> => {
  const hashed = new Map<Operation, KeyTexts>()
  const firsts = new Map<string, Operation>()
  const prefix = scoped(scope, "operation").slice(0, -1)
  for (const operation of operations) {
    const { idempotencyKey } = operation
    if (operation.result !== undefined || idempotencyKey === undefined) continue
    const fingerprint = fingerprintText(operation, scope.format)
    const first = firsts.get(idempotencyKey)
    if (first === undefined) {
      firsts.set(idempotencyKey, operation)
      hashed.set(operation, { key: `${prefix},${text(idempotencyKey)}]`, fingerprint })
    } else if (hashed.get(first)!.fingerprint === fingerprint) operation.duplicateOf = first
    else operation.result = OperationResult.refused(keyReused())
  }
  return hashAll(hashed, scope.digest)
}

/** Hashes the key of a batch. */
export const ofBatch = async (
  { operations, strategy }: Pick<Batch, "operations" | "strategy">,
  key: string,
  scope: KeyScope,
): Promise<HashedKey> => {
  let parts = ""
  for (const operation of operations) {
    parts += `${parts === "" ? "" : ","}[${fingerprintText(operation, scope.format)},${placeText(operation)}]`
  }
  const { digest } = scope
  return {
    key: await digest(scoped(scope, "batch", key)),
    fingerprint: await digest(`["${version}",${text(strategy)},[${parts}]]`),
  }
}

// The members that distinguish an operation in its batch, apart from its request. Most operations have none of them.
const placeText = ({ id, idempotencyKey, group, dependsOn }: Operation): string => {
  if (dependsOn.length === 0 && (id ?? idempotencyKey ?? group) === undefined) return "null,null,null,[]"
  const edges = text(dependsOn.map((edge) => [edge.operation.index, edge.accept]))
  return `${text(id)},${text(idempotencyKey)},${text(group)},${edges}`
}

/** Hashes keys for operations that have none: the key of their batch and their index in it. */
export const ofParts = async (
  operations: ReadonlyArray<Operation>,
  batchKey: string,
  scope: KeyScope,
): Promise<ReadonlyMap<Operation, HashedKey>> => {
  const texts = new Map<Operation, KeyTexts>()
  for (const operation of operations) {
    const key = scoped(scope, "batch", batchKey, operation.index)
    texts.set(operation, { key, fingerprint: fingerprintText(operation, scope.format) })
  }
  return hashAll(texts, scope.digest)
}

/** The texts that are hashed. */
type KeyTexts = HashedKey

const hashAll = async (texts: ReadonlyMap<Operation, KeyTexts>, digest: Digest): Promise<Map<Operation, HashedKey>> => {
  if (isSync(digest)) {
    // A promise for each text would cost more than its hash.
    const hashed = new Map<Operation, HashedKey>()
    for (const [operation, { key, fingerprint }] of texts) {
      hashed.set(operation, { key: digest(key), fingerprint: digest(fingerprint) })
    }
    return hashed
  }
  const hashed = Array.from(texts, async ([operation, { key, fingerprint }]) => {
    const [hashedKey, hashedFingerprint] = await Promise.all([digest(key), digest(fingerprint)])
    return [operation, { key: hashedKey, fingerprint: hashedFingerprint }] as const
  })
  return new Map(await Promise.all(hashed))
}

const isSync = (digest: Digest): digest is SyncDigest => digest.isSync === true

/** Makes the failure of a request that uses the key of another request. */
export const keyReused = () =>
  failure("IDEMPOTENCY_KEY_REUSED", "This idempotency key was used before for another request: use a new key", {
    retryable: false,
  })
