/** Whether a Redis server is set up so that records are safe in it. */
import {
  anyFunction,
  checkOptions,
  duration,
  type DurationInput,
  flag,
  type OptionGroup,
  settingsOf,
} from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { once } from "node:events"
import { isCluster } from "../scripts/RedisScript.ts"

/** How long a server is waited for, and who is warned. */
export interface CheckRedisOptions {
  /** Called with each warning. Default: `process.emitWarning`. */
  readonly warn?: ((message: string) => void) | undefined
  /** How long to wait for a connection. Default `"5 seconds"`. */
  readonly timeout?: DurationInput | undefined
  /** Whether jobs are kept there, which are to survive a restart. Default false. */
  readonly jobs?: boolean | undefined
}

const emitWarning = (message: string): void => process.emitWarning(message, "MultistatusWarning")

const checkRedisOptions = {
  warn: { type: anyFunction(), default: emitWarning, page: "jobs.md" },
  timeout: { type: duration(), default: "5 seconds", page: "jobs.md" },
  jobs: { type: flag, default: false, page: "jobs.md" },
} satisfies OptionGroup<CheckRedisOptions>

/**
 * Waits for a connection, warns of settings that endanger records, and answers with the warnings.
 *
 * **Details** Meant for the start of a server. Reads `INFO` of each master, which hosted Redis allows too. Rejects when
 * there is no connection in time.
 */
export const checkRedis = async (
  client: Redis | Cluster,
  options: CheckRedisOptions = {},
): Promise<ReadonlyArray<string>> => {
  checkOptions(checkRedisOptions, options)
  const { warn, timeoutMs, jobs } = settingsOf(checkRedisOptions, options)
  await connected(client, timeoutMs)
  const servers = isCluster(client) ? client.nodes("master") : [client]
  const found = await Promise.all(
    servers.map(async (server) => serverWarnings(nameOf(server), await server.info(), jobs)),
  )
  const warnings = [...clientWarnings(client), ...found.flat()]
  for (const warning of warnings) warn(warning)
  return warnings
}

/** Waits for a client to be connected. */
export const connected = async (client: Redis | Cluster, timeoutMs: number): Promise<void> => {
  if (client.status === "wait") return client.connect()
  if (client.status !== "ready") await once(client, "ready", { signal: AbortSignal.timeout(timeoutMs) })
}

const nameOf = ({ options: { host, port, path } }: Redis): string => `Redis at ${path ?? `${host}:${port}`}`

const clientWarnings = (client: Redis | Cluster): ReadonlyArray<string> => {
  const { commandTimeout } = (isCluster(client) ? client.options.redisOptions : client.options) ?? {}
  if (client.options.enableOfflineQueue === false && commandTimeout !== undefined) return []
  return [
    "This Redis client waits long for a server that is down, and requests wait with it. " +
      "Make it with redisClient or redisCluster, or set enableOfflineQueue: false and a commandTimeout.",
  ]
}

const serverWarnings = (name: string, info: string, jobs: boolean): ReadonlyArray<string> => {
  const fields = new Map(info.split(/\r?\n/).map((line) => [line.split(":", 1)[0]!, line.slice(line.indexOf(":") + 1)]))
  const warnings: Array<string> = []
  const policy = fields.get("maxmemory_policy")
  if (policy === undefined) {
    warnings.push(`${name} does not tell its maxmemory-policy: make sure that it is noeviction.`)
  } else if (policy !== "noeviction") {
    warnings.push(
      `${name} drops records when its memory is full (maxmemory-policy ${policy}), and a retry would then execute an ` +
        `operation again${jobs ? ", and jobs would be lost" : ""}. Set maxmemory-policy to noeviction, or use a server ` +
        "for this alone if another one is a cache.",
    )
  }
  if (jobs && fields.get("aof_enabled") !== "1") {
    warnings.push(
      `${name} forgets jobs that it accepted when it is restarted or crashes (appendonly no). Set appendonly to yes, ` +
        "with appendfsync everysec to lose at most the last second of them, or always to lose none.",
    )
  }
  if (fields.get("role") === "slave") warnings.push(`${name} is a replica and takes no writes. Connect to its primary.`)
  const version = fields.get("redis_version") ?? ""
  if (Number.parseInt(version, 10) < 6) warnings.push(`${name} has version ${version}. At least 6 is needed.`)
  return warnings
}
