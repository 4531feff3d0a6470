/**
 * Imports more than 100,000 places into the reference server and checks that what it reports is what is there.
 */
import { attribution } from "./cities.ts"
import { progressTo } from "./progressTo.ts"
import { runDemo } from "./runDemo.ts"
import { startServer } from "./startServer.ts"

console.log(attribution)
const agrees = await runDemo({
  start: startServer,
  rows: 100_300,
  compared: 500,
  print: (line) => console.log(line),
  progress: (total) => progressTo(process.stdout, total),
})
process.exitCode = agrees ? 0 : 1
