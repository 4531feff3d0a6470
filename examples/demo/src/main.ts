/**
 * Imports 100,300 places into the reference server and checks its report against the database.
 *
 * `--async` imports them as one job. `--async --kill` also kills the server during the job and starts another one.
 */
import { parseArgs } from "node:util"

import { attribution } from "./cities.ts"
import { progressTo } from "./progressTo.ts"
import { runDemo } from "./runDemo.ts"
import { runJobDemo } from "./runJobDemo.ts"
import { startServer } from "./startServer.ts"

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: { async: { type: "boolean", default: false }, kill: { type: "boolean", default: false } },
})
if (values.kill && !values.async) throw new Error("--kill needs --async")

const rows = 100_300
const print = (line: string) => console.log(line)
const progress = (total: number) => progressTo(process.stdout, total)

console.log(attribution)
const agrees = values.async
  ? await runJobDemo({ rows, kill: values.kill, print, progress })
  : await runDemo({ start: startServer, rows, compared: 500, print, progress })
process.exitCode = agrees ? 0 : 1
