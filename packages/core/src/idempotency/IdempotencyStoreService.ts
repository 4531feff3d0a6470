/** The service of idempotency stores. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type * as Port from "./IdempotencyStore.ts"
import { type MemoryIdempotencyOptions, memoryIdempotencyStore } from "./memoryIdempotencyStore.ts"

/** The service of the idempotency store, in which `Idempotency` keeps keys and results. */
export class IdempotencyStore extends Context.Service<IdempotencyStore, Port.IdempotencyStore>()(
  "@multistatus/core/IdempotencyStore",
) {
  /** A store in the memory of this process. */
  static readonly layerMemory = (options: MemoryIdempotencyOptions = {}): Layer.Layer<IdempotencyStore> =>
    Layer.sync(IdempotencyStore, () => memoryIdempotencyStore(options))
}
