/**
 * Vitest global setup that provides `redisUrl`.
 *
 * @since 0.1.0
 */
import { globalSetup } from "../Provided.ts"
import { startRedis } from "../startRedis.ts"

/**
 * Starts the shared server once for all projects that list this module.
 *
 * @category constructors
 * @since 0.1.0
 */
export const setup = globalSetup("redisUrl", startRedis)
