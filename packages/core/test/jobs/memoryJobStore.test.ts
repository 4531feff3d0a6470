import { JobStoreContract } from "@multistatus/core/testing"
import { memoryJobStore } from "../../src/jobs/memoryJobStore.ts"

JobStoreContract.suite("memory", () => ({ store: memoryJobStore() }))
