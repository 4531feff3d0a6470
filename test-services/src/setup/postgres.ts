/**
 * Vitest global setup that provides `postgresUrl`.
 *
 * @since 0.1.0
 */
import { globalSetup } from "../Provided.ts"
import { startPostgres } from "../startPostgres.ts"

/**
 * Starts the shared server once for all projects that list this module.
 *
 * @category constructors
 * @since 0.1.0
 */
export const setup = globalSetup("postgresUrl", startPostgres)
