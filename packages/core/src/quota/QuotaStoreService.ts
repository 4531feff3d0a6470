/** The service of quota stores. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { type MemoryQuotaOptions, memoryQuotaStore } from "./memoryQuotaStore.ts"
import type * as Port from "./QuotaStore.ts"

/** The service of the quota store, in which `Quota` counts. */
export class QuotaStore extends Context.Service<QuotaStore, Port.QuotaStore>()("@multistatus/core/QuotaStore") {
  /** A store in the memory of this process. */
  static readonly layerMemory = (options: MemoryQuotaOptions = {}): Layer.Layer<QuotaStore> =>
    Layer.sync(QuotaStore, () => memoryQuotaStore(options))
}
