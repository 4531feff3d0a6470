/** What operations and batches are claimed under: keys hashed in their scope, and fingerprints of what they are used for. */
import type { Batch } from "../batch/Batch.ts"
import { canonicalJson } from "./CanonicalJson.ts"
import { failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { Digest, SyncDigest } from "../platform/Digest.ts"

/** Counts up when hashes are made another way, so that old records are not taken for new ones. */
const version = "v1"

/** Whose keys they are, and how they are hashed. */
export interface KeyScope {
  readonly tenant: string | undefined
  readonly endpoint: string
  readonly digest: Digest
  readonly format: ValueFormat
}

/** What one claim is made with. */
export interface HashedKey {
  readonly key: string
  readonly fingerprint: string
}

// A JSON array keeps its parts apart whatever is in them: no tenant can be spelt so that its key is another's.
const scoped = ({ tenant, endpoint }: KeyScope, kind: "operation" | "batch", ...key: ReadonlyArray<string | number>) =>
  JSON.stringify([version, tenant ?? null, endpoint, kind, ...key])

// Put together by hand, as canonical JSON would be: this is done for every operation.
const fingerprintText = (operation: Operation, { purpose }: ValueFormat): string =>
  `["${version}",${text(operation.action)},${purpose === undefined ? standardPurpose(operation) : text(purpose(operation))}]`

const standardPurpose = ({ id, input }: Operation): string => `[${text(id)},${text(input)}]`

const text = (value: unknown): string => (value === undefined ? "null" : canonicalJson(value))

/**
 * Hashes the keys of the operations that have one and are to run.
 *
 * **Details** The input is hashed as it was sent, so this comes before inputs are validated and replaced. An operation
 * with the key of an earlier one and the same purpose becomes its duplicate; with another it is refused.
 */
export const ofOperations = async (
  operations: ReadonlyArray<Operation>,
  scope: KeyScope,
): Promise<Map<Operation, HashedKey>> => {
  const hashed = new Map<Operation, KeyTexts>()
  const firsts = new Map<string, Operation>()
  const begun = scoped(scope, "operation").slice(0, -1)
  for (const operation of operations) {
    const { idempotencyKey } = operation
    if (operation.result !== undefined || idempotencyKey === undefined) continue
    const fingerprint = fingerprintText(operation, scope.format)
    const first = firsts.get(idempotencyKey)
    if (first === undefined) {
      firsts.set(idempotencyKey, operation)
      hashed.set(operation, { key: `${begun},${text(idempotencyKey)}]`, fingerprint })
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

// What an operation is in its batch, beside what it does; most are nothing in particular.
const placeText = ({ id, idempotencyKey, group, dependsOn }: Operation): string => {
  if (dependsOn.length === 0 && (id ?? idempotencyKey ?? group) === undefined) return "null,null,null,[]"
  const edges = text(dependsOn.map((edge) => [edge.operation.index, edge.accept]))
  return `${text(id)},${text(idempotencyKey)},${text(group)},${edges}`
}

/** Hashes keys for operations that have none of their own, from their place in a batch that has one. */
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

/** What is said of a key that was first used for something else. */
export const keyReused = () =>
  failure("IDEMPOTENCY_KEY_REUSED", "This idempotency key was used before for another request: use a new key", {
    retryable: false,
  })
