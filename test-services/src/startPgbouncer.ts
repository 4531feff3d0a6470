/** PgBouncer in front of a PostgreSQL server. */
import { chownSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Client } from "pg"
import * as Binaries from "./Binaries.ts"
import { freePort } from "./freePort.ts"
import { makeServer } from "./makeServer.ts"
import { retryPort } from "./retryPort.ts"
import type { Server } from "./Server.ts"
import * as ServerDirectory from "./ServerDirectory.ts"
import { ServerProcess } from "./ServerProcess.ts"
import * as SystemUser from "./SystemUser.ts"

const product: Binaries.Product = {
  name: "PgBouncer",
  programs: [["pgbouncer"]],
  directories: ["/opt/homebrew/opt/pgbouncer/bin", "/usr/local/opt/pgbouncer/bin"],
  debianPackage: "pgbouncer",
  homebrewPackage: "pgbouncer",
}

/**
 * Starts PgBouncer in transaction mode, with five connections to the server for each database. The URL leads to the database
 * that `target` names.
 */
export const startPgbouncer = async (target: string): Promise<Server> => {
  const [program = ""] = await Binaries.locate(product)
  return retryPort(async () => {
    const user = SystemUser.find("postgres")
    const directory = ServerDirectory.make("pgbouncer", user)
    const port = await freePort()
    const file = join(directory, "pgbouncer.ini")
    writeFileSync(file, settings(port, new URL(target)))
    if (user !== undefined) chownSync(file, user.uid, user.gid)
    const url = Object.assign(new URL(target), { port: String(port) }).toString()
    const process = new ServerProcess({
      program,
      args: [file],
      directory,
      user,
      ready: () => ping(url),
      stopSignal: "SIGTERM",
    })
    return makeServer({ url, port, directory, processes: [process], abortSignal: "SIGKILL" })
  })
}

const settings = (port: number, target: URL): string => `
[databases]
* = host=127.0.0.1 port=${target.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
`

const ping = async (url: string): Promise<void> => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on("error", () => undefined)
  try {
    await client.connect()
    await client.query("select 1")
  } finally {
    await client.end()
  }
}
