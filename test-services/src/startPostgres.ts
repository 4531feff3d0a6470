/** PostgreSQL servers for tests. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { Client } from "pg"
import * as Binaries from "./Binaries.ts"
import { freePort } from "./freePort.ts"
import { makeServer } from "./makeServer.ts"
import { retryPort } from "./retryPort.ts"
import type { Server, ServerOptions } from "./Server.ts"
import * as ServerDirectory from "./ServerDirectory.ts"
import { ServerProcess } from "./ServerProcess.ts"
import * as SystemUser from "./SystemUser.ts"

const product: Binaries.Product = {
  name: "PostgreSQL",
  programs: [["initdb"], ["postgres"]],
  directories: [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
  ],
  debianPackage: "postgresql",
  homebrewPackage: "postgresql@17",
}

/** Starts an empty PostgreSQL server; anybody on this machine may connect as the superuser `postgres`. */
export const startPostgres = async (options: ServerOptions = {}): Promise<Server> => {
  const [initdb = "", postgres = ""] = await Binaries.locate(product)
  return retryPort(async () => {
    const user = SystemUser.find("postgres")
    const directory = ServerDirectory.make("postgres", user)
    const data = join(directory, "data")
    const initArgs = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    await promisify(execFile)(initdb, initArgs, { cwd: directory, ...user })
    const port = await freePort()
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    const server = new ServerProcess({
      program: postgres,
      args: ["-D", data, ...settings(port, options).flatMap((setting) => ["-c", setting])],
      directory,
      user,
      ready: () => ping(url),
      stopSignal: "SIGINT",
    })
    return makeServer({ url, port, directory, processes: [server], abortSignal: "SIGQUIT" })
  })
}

const settings = (port: number, { durable = false }: ServerOptions): ReadonlyArray<string> => [
  "listen_addresses=127.0.0.1",
  `port=${port}`,
  "unix_socket_directories=",
  "max_connections=300",
  "max_prepared_transactions=20",
  // Segments in files go with the directory; those in shared memory would outlive a killed server.
  "dynamic_shared_memory_type=mmap",
  ...(durable ? [] : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]),
]

const ping = async (url: string): Promise<void> => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on("error", () => undefined)
  try {
    await client.connect()
  } finally {
    await client.end()
  }
}
