/** What operations and batches are claimed under: keys hashed in their scope, and fingerprints of what they are used for. */
import { canonicalJson } from "../domain/CanonicalJson.ts"
import { failure } from "../domain/Failure.ts"
import type { Operation } from "../domain/Operation.ts"
import { OperationResult } from "../domain/OperationResult.ts"
import type { Digest } from "../ports/Digest.ts"

/** Counts up when hashes are made another way, so that old records are not taken for new ones. */
const version = "v1"

/** Whose keys they are. @category models @since 0.1.0 */
export interface KeyScope {
  readonly tenant: string | undefined
  readonly endpoint: string
}

/** What one claim is made with. @category models @since 0.1.0 */
export interface HashedKey {
  readonly key: string
  readonly fingerprint: string
}

// A JSON array keeps its parts apart whatever is in them: no tenant can be spelt so that its key is another's.
const scoped = ({ tenant, endpoint }: KeyScope, kind: "operation" | "batch", key: string): string =>
  JSON.stringify([version, tenant ?? null, endpoint, kind, key])

const fingerprintText = ({ action, id, input }: Operation): string =>
  canonicalJson([version, action, id ?? null, input ?? null])

/**
 * Hashes the keys of the operations that have one and are to run.
 *
 * **Details** The input is hashed as it was sent, so this comes before inputs are validated and replaced. An operation
 * with the key of an earlier one and the same input becomes its duplicate; with another input it is refused.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofOperations = async (
  operations: ReadonlyArray<Operation>,
  scope: KeyScope,
  digest: Digest,
): Promise<ReadonlyMap<Operation, HashedKey>> => {
  const keyed = operations.filter(({ result, idempotencyKey }) => result === undefined && idempotencyKey !== undefined)
  const texts = keyed.flatMap((operation) => [
    scoped(scope, "operation", operation.idempotencyKey!),
    fingerprintText(operation),
  ])
  const hashes = await digestAll(texts, digest)
  const hashed = new Map<Operation, HashedKey>()
  const firsts = new Map<string, Operation>()
  keyed.forEach((operation, position) => {
    const key = hashes[2 * position]!
    const fingerprint = hashes[2 * position + 1]!
    const first = firsts.get(key)
    if (first === undefined) {
      firsts.set(key, operation)
      hashed.set(operation, { key, fingerprint })
    } else if (hashed.get(first)!.fingerprint === fingerprint) operation.duplicateOf = first
    else operation.result = OperationResult.refused(keyReused())
  })
  return hashed
}

/** Hashes the key of a batch. @category constructors @since 0.1.0 */
export const ofBatch = async (
  operations: ReadonlyArray<Operation>,
  strategy: unknown,
  key: string,
  scope: KeyScope,
  digest: Digest,
): Promise<HashedKey> => {
  const whole = canonicalJson([version, strategy, operations.map(fingerprintText)])
  const [hash, fingerprint] = await digestAll([scoped(scope, "batch", key), whole], digest)
  return { key: hash!, fingerprint: fingerprint! }
}

const digestAll = async (texts: ReadonlyArray<string>, digest: Digest): Promise<ReadonlyArray<string>> => {
  const hashes = texts.map((text) => digest(text))
  return hashes.every((hash) => typeof hash === "string") ? hashes : Promise.all(hashes)
}

/** What is said of a key that was first used for something else. @category constructors @since 0.1.0 */
export const keyReused = () =>
  failure("IDEMPOTENCY_KEY_REUSED", "This idempotency key was used before for another request: use a new key", {
    retryable: false,
  })
