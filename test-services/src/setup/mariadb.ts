/** Vitest global setup that provides `mariadbUrl`. */
import { globalSetup } from "../Provided.ts"
import { startMariadb } from "../startMariadb.ts"

/** Starts the shared server once for all projects that list this module. */
export const setup = globalSetup("mariadbUrl", startMariadb)
