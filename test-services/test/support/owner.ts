/** Starts one server of each product, prints what it started and waits to be ended from outside. */
import { startPostgres, startRedis } from "@multistatus/test-services"

const servers = await Promise.all([startPostgres(), startRedis()])
if (process.argv[2] === "paused") await Promise.all(servers.map((server) => server.pause()))
console.log(JSON.stringify(servers.map(({ port }) => port)))
if (process.argv[2] === "exit") process.exit(0)
if (process.argv[2] === "throw") throw new Error("thrown on purpose")
setInterval(() => undefined, 1_000)
