/** The service of chunk queues. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type * as Port from "./ChunkQueue.ts"
import { inProcessQueue } from "./inProcessQueue.ts"

/** The service of the chunk queue. `Jobs` delivers chunks of jobs to workers through it. */
export class ChunkQueue extends Context.Service<ChunkQueue, Port.ChunkQueue>()("@multistatus/core/ChunkQueue") {
  /** A queue in the memory of this process. */
  static readonly layerMemory = (): Layer.Layer<ChunkQueue> => Layer.sync(ChunkQueue, () => inProcessQueue())
}
