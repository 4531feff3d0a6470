/** Redis servers and clusters for tests. */
import { mkdirSync, chownSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Binaries from "./Binaries.ts"
import { freePort } from "./freePort.ts"
import { makeServer } from "./makeServer.ts"
import { redisCommand } from "./redisCommand.ts"
import { retryPort } from "./retryPort.ts"
import type { Server, ServerOptions } from "./Server.ts"
import * as ServerDirectory from "./ServerDirectory.ts"
import { ServerProcess } from "./ServerProcess.ts"
import * as SystemUser from "./SystemUser.ts"

const product: Binaries.Product = {
  name: "Redis",
  programs: [["redis-server", "valkey-server"]],
  directories: [
    "/opt/homebrew/opt/redis*/bin",
    "/usr/local/opt/redis*/bin",
    "/home/linuxbrew/.linuxbrew/opt/redis*/bin",
  ],
  debianPackage: "redis-server",
  homebrewPackage: "redis",
}

const slots = 16_384
const clusterNodes = 3

/** How a Redis server is started. */
export interface RedisOptions extends ServerOptions {
  /** Three masters that share the slots; the URL names the first of them. Default false. */
  readonly cluster?: boolean | undefined
}

/**
 * Starts an empty Redis server, or a cluster of three.
 *
 * **Details** A durable one logs every write and syncs the log before it answers; another one loses everything in `kill`.
 */
export const startRedis = async (options: RedisOptions = {}): Promise<Server> => {
  const [program = ""] = await Binaries.locate(product)
  return retryPort(async () => {
    const user = SystemUser.find("redis")
    const directory = ServerDirectory.make("redis", user)
    const ports: Array<number> = []
    const processes: Array<ServerProcess> = []
    for (let node = 0; node < (options.cluster === true ? clusterNodes : 1); node++) {
      const nodeDirectory = join(directory, String(node))
      mkdirSync(nodeDirectory)
      if (user !== undefined) chownSync(nodeDirectory, user.uid, user.gid)
      const port = await freePort()
      ports.push(port)
      const args = [...settings(port, options), ...(options.cluster === true ? clusterSettings(await freePort()) : [])]
      const ready = () => redisCommand(port, "PING").then(answered)
      processes.push(new ServerProcess({ program, args, directory: nodeDirectory, user, ready, stopSignal: "SIGTERM" }))
    }
    const [port = 0] = ports
    const url = `redis://127.0.0.1:${port}`
    const server = await makeServer({ url, port, directory, processes, abortSignal: "SIGKILL" })
    if (options.cluster === true)
      await formCluster(ports).catch((error) => server.stop().then(() => Promise.reject(error)))
    return server
  })
}

const settings = (port: number, { durable = false }: RedisOptions): ReadonlyArray<string> => [
  "--bind",
  "127.0.0.1",
  "--port",
  String(port),
  "--databases",
  "1024",
  "--save",
  "",
  ...(durable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"]),
]

const clusterSettings = (busPort: number): ReadonlyArray<string> => [
  "--cluster-enabled",
  "yes",
  "--cluster-port",
  String(busPort),
  "--cluster-node-timeout",
  "2000",
]

const answered = (reply: string): void => {
  // A server that still loads its data answers, but with an error, which `redisCommand` already rejects.
  if (!reply.startsWith("+PONG")) throw new Error(`Redis answered ${reply}`)
}

const formCluster = async (ports: ReadonlyArray<number>): Promise<void> => {
  const [first = 0, ...others] = ports
  const share = Math.ceil(slots / ports.length)
  for (const [index, port] of ports.entries()) {
    const range = Array.from({ length: Math.min(share, slots - index * share) }, (_, slot) => index * share + slot)
    await redisCommand(port, "CLUSTER", "ADDSLOTS", ...range)
    // Epochs that differ from the start spare the nodes from settling a conflict first; one that has its own may keep it.
    await redisCommand(port, "CLUSTER", "SET-CONFIG-EPOCH", index + 1).catch((error: unknown) => {
      if (!String(error).includes("already non-zero")) throw error
    })
  }
  for (const port of others) {
    await redisCommand(port, "CLUSTER", "MEET", "127.0.0.1", first, await busPort(first))
  }
  const deadline = performance.now() + 30_000
  for (const port of ports) {
    for (;;) {
      const info = await redisCommand(port, "CLUSTER", "INFO")
      if (info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${ports.length}`)) break
      if (performance.now() > deadline) throw new Error(`The Redis cluster does not form\n${info}`)
      await sleep(25)
    }
  }
}

const busPort = async (port: number): Promise<number> =>
  Number(/cluster-port\r\n\$\d+\r\n(\d+)/.exec(await redisCommand(port, "CONFIG", "GET", "cluster-port"))?.[1])
