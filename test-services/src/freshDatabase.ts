/** A database of its own for each test file on a shared server. */
import { createConnection } from "mysql2/promise"
import { Client } from "pg"
import { randomUUID } from "node:crypto"
import { redisCommand } from "./redisCommand.ts"

/**
 * Makes an empty database on the server and answers with its URL.
 *
 * **Details** The protocol says what is made: `postgres:` and `mysql:` a database with a random name, `redis:` one of the
 * server's numbered databases that no other caller was given. A cluster has a single database and cannot be divided.
 *
 * **Gotchas** The database goes with its server; a Redis server has a thousand of them.
 */
export const freshDatabase = async (url: string): Promise<string> => {
  const name = `test_${randomUUID().replaceAll("-", "")}`
  switch (new URL(url).protocol) {
    case "postgres:":
    case "postgresql:":
      await createPostgres(url, name)
      return withPath(url, name)
    case "mysql:":
    case "mariadb:":
      await createMariadb(url, name)
      return withPath(url, name)
    case "redis:":
      return withPath(url, await takeRedis(url))
    default:
      throw new Error(`No databases can be made at ${url}`)
  }
}

const withPath = (url: string, path: string): string => Object.assign(new URL(url), { pathname: `/${path}` }).toString()

const createPostgres = async (url: string, name: string): Promise<void> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`CREATE DATABASE ${name}`)
  } finally {
    await client.end()
  }
}

const createMariadb = async (url: string, name: string): Promise<void> => {
  const connection = await createConnection({ uri: url.replace(/^mariadb:/, "mysql:") })
  try {
    await connection.query(`CREATE DATABASE ${name}`)
  } finally {
    await connection.end()
  }
}

const takeRedis = async (url: string): Promise<string> => {
  // Database 0 counts those that were given away, so that callers in several processes never share one.
  const reply = await redisCommand(Number(new URL(url).port), "INCR", "multistatus:test-databases")
  return String(Number.parseInt(reply.slice(1), 10))
}
