/** The service of job stores. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type * as Port from "./JobStore.ts"
import { memoryJobStore } from "./memoryJobStore.ts"

/** The service of the job store. `Jobs` keeps jobs in it. */
export class JobStore extends Context.Service<JobStore, Port.JobStore>()("@multistatus/core/JobStore") {
  /** A store in the memory of this process. */
  static readonly layerMemory = (): Layer.Layer<JobStore> => Layer.sync(JobStore, () => memoryJobStore())
}
