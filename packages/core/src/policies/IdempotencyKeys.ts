/** What operations and batches are claimed under: keys hashed in their scope, and fingerprints of what they are used for. */
import type { Batch } from "../domain/Batch.ts"
import { canonicalJson } from "../domain/CanonicalJson.ts"
import { failure } from "../domain/Failure.ts"
import type { Operation } from "../domain/Operation.ts"
import { OperationResult } from "../domain/OperationResult.ts"
import type { ValueFormat } from "../ports/Codec.ts"
import type { Digest } from "../ports/Digest.ts"

/** Counts up when hashes are made another way, so that old records are not taken for new ones. */
const version = "v1"

/** Whose keys they are, and how they are hashed. @category models @since 0.1.0 */
export interface KeyScope {
  readonly tenant: string | undefined
  readonly endpoint: string
  readonly digest: Digest
  readonly format: ValueFormat
}

/** What one claim is made with. @category models @since 0.1.0 */
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
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofOperations = async (
  operations: ReadonlyArray<Operation>,
  scope: KeyScope,
): Promise<Map<Operation, HashedKey>> => {
  const keyed = operations.filter(({ result, idempotencyKey }) => result === undefined && idempotencyKey !== undefined)
  const begun = scoped(scope, "operation").slice(0, -1)
  const texts: Array<string> = []
  for (const operation of keyed) {
    texts.push(`${begun},${text(operation.idempotencyKey)}]`, fingerprintText(operation, scope.format))
  }
  const hashes = await digestAll(texts, scope.digest)
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
  { operations, strategy }: Pick<Batch, "operations" | "strategy">,
  key: string,
  scope: KeyScope,
): Promise<HashedKey> => {
  const parts = operations.map((operation) => {
    const { id, idempotencyKey, group, dependsOn } = operation
    const edges = dependsOn.length === 0 ? "[]" : text(dependsOn.map((edge) => [edge.operation.index, edge.accept]))
    return `[${fingerprintText(operation, scope.format)},${text(id)},${text(idempotencyKey)},${text(group)},${edges}]`
  })
  const [hash, fingerprint] = await digestAll(
    [scoped(scope, "batch", key), `["${version}",${text(strategy)},[${parts.join(",")}]]`],
    scope.digest,
  )
  return { key: hash!, fingerprint: fingerprint! }
}

/**
 * Hashes keys for operations that have none of their own, from their place in a batch that has one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofParts = async (
  operations: ReadonlyArray<Operation>,
  batchKey: string,
  scope: KeyScope,
): Promise<ReadonlyMap<Operation, HashedKey>> => {
  const texts = operations.flatMap((operation) => [
    scoped(scope, "batch", batchKey, operation.index),
    fingerprintText(operation, scope.format),
  ])
  const hashes = await digestAll(texts, scope.digest)
  return new Map(
    operations.map((operation, position) => [
      operation,
      { key: hashes[2 * position]!, fingerprint: hashes[2 * position + 1]! },
    ]),
  )
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
