import { JobStoreContract } from "@multistatus/core/testing"
import { memoryJobStore } from "../../src/stores/memoryJobStore.ts"

JobStoreContract.suite("memory", () => ({ store: memoryJobStore() }))
