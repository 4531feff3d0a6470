/** Vitest global setup that provides `postgresUrl`. */
import { globalSetup } from "../Provided.ts"
import { startPostgres } from "../startPostgres.ts"

/** Starts the shared server once for all projects that list this module. */
export const setup = globalSetup("postgresUrl", startPostgres)
