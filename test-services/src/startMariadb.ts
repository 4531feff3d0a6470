/** MariaDB servers for tests. */
import { execFile } from "node:child_process"
import { realpathSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { createConnection } from "mysql2/promise"
import * as Binaries from "./Binaries.ts"
import { freePort } from "./freePort.ts"
import { makeServer } from "./makeServer.ts"
import { retryPort } from "./retryPort.ts"
import type { Server, ServerOptions } from "./Server.ts"
import * as ServerDirectory from "./ServerDirectory.ts"
import { ServerProcess } from "./ServerProcess.ts"
import * as SystemUser from "./SystemUser.ts"

const directories = [
  "/opt/homebrew/opt/mariadb*/bin",
  "/usr/local/opt/mariadb*/bin",
  "/home/linuxbrew/.linuxbrew/opt/mariadb*/bin",
  "/usr/local/mysql/bin",
  "/usr/libexec",
]
const packages = { directories, debianPackage: "mariadb-server", homebrewPackage: "mariadb" }
const daemon: Binaries.Product = { name: "MariaDB", programs: [["mariadbd", "mysqld"]], ...packages }
const installer: Binaries.Product = {
  name: "MariaDB",
  programs: [["mariadb-install-db", "mysql_install_db"]],
  ...packages,
}

/** Starts an empty MariaDB server; anybody on this machine may connect as `root`. */
export const startMariadb = async (options: ServerOptions = {}): Promise<Server> => {
  // Linux keeps the daemon in sbin and the script in bin, so the two are searched apart.
  const [mariadbd = ""] = await Binaries.locate(daemon)
  const [install = ""] = await Binaries.locate(installer)
  return retryPort(async () => {
    const user = SystemUser.find("mysql")
    const directory = ServerDirectory.make("mariadb", user)
    const data = join(directory, "data")
    const initArgs = [
      "--no-defaults",
      "--skip-test-db",
      "--skip-name-resolve",
      "--auth-root-authentication-method=normal",
    ]
    const basedir = dirname(dirname(realpathSync(install)))
    await promisify(execFile)(install, [...initArgs, `--basedir=${basedir}`, `--datadir=${data}`], {
      cwd: directory,
      ...user,
    })
    const port = await freePort()
    const url = `mysql://root@127.0.0.1:${port}/mysql`
    const server = new ServerProcess({
      program: mariadbd,
      args: settings(port, directory, options),
      directory,
      user,
      ready: () => ping(url),
      stopSignal: "SIGTERM",
    })
    return makeServer({ url, port, directory, processes: [server], abortSignal: "SIGKILL" })
  })
}

const settings = (port: number, directory: string, { durable = false }: ServerOptions): ReadonlyArray<string> => [
  "--no-defaults",
  `--datadir=${join(directory, "data")}`,
  `--socket=${join(directory, "socket")}`,
  `--pid-file=${join(directory, "pid")}`,
  "--bind-address=127.0.0.1",
  `--port=${port}`,
  "--skip-log-bin",
  "--skip-name-resolve",
  "--character-set-server=utf8mb4",
  "--max-connections=300",
  "--innodb-buffer-pool-size=64M",
  ...(durable ? [] : ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]),
]

const ping = async (url: string): Promise<void> => {
  const connection = await createConnection({ uri: url, connectTimeout: 2_000 })
  await connection.end()
}
