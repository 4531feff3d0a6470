/**
 * Vitest global setup that provides `mariadbUrl`.
 *
 * @since 0.1.0
 */
import { globalSetup } from "../Provided.ts"
import { startMariadb } from "../startMariadb.ts"

/**
 * Starts the shared server once for all projects that list this module.
 *
 * @category constructors
 * @since 0.1.0
 */
export const setup = globalSetup("mariadbUrl", startMariadb)
