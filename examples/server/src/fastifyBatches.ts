import type { FastifyInstance } from "fastify"

import type { Configuration } from "./Configuration.ts"
import type { Users } from "./Users.ts"

/** Mounts the batch endpoints on the Fastify application. @category constructors @since 0.1.0 */
export const mountBatches = async (
  _app: FastifyInstance,
  _users: Users,
  _configuration: Configuration,
): Promise<void> => {}
