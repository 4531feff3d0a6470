import type { Express } from "express"

import type { Configuration } from "./Configuration.ts"
import type { Users } from "./Users.ts"

/** Mounts the batch endpoints on the Express application. @category constructors @since 0.1.0 */
export const mountBatches = async (_app: Express, _users: Users, _configuration: Configuration): Promise<void> => {}
