/** Vitest global setup that provides `redisUrl`. */
import { globalSetup } from "../Provided.ts"
import { startRedis } from "../startRedis.ts"

/** Starts the shared server once for all projects that list this module. */
export const setup = globalSetup("redisUrl", startRedis)
