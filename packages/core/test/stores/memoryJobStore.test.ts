import { memoryJobStore } from "../../src/stores/memoryJobStore.ts"
import * as JobStoreContract from "../../src/testing/JobStoreContract.ts"

JobStoreContract.suite("memory", () => ({ store: memoryJobStore() }))
