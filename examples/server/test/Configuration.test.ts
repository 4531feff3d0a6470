import { readFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { readConfiguration, variables } from "../src/Configuration.ts"

describe("readConfiguration", () => {
  it("has a default for everything", () => {
    expect(readConfiguration({ PORT: "" })).toEqual({
      port: 3000,
      framework: "fastify",
      databaseUrl: "sqlite::memory:",
      redisUrl: undefined,
      store: "memory",
      maxOperations: 1000,
      maxBodyBytes: 10_485_760,
      deadlineMs: 30_000,
      concurrency: 10,
      idempotencyTtlSeconds: 86_400,
      quota: 100_000,
      quotaWindowSeconds: 60,
      quotaCost: "operations",
      quotaMode: "reject",
      asyncAbove: undefined,
      jobChunk: 500,
      workers: 4,
    })
  })

  it("reads every variable", () => {
    const environment = {
      PORT: "0",
      FRAMEWORK: "express",
      DATABASE_URL: "sqlite:users.db",
      MAX_OPERATIONS: "5",
      MAX_BODY_BYTES: "1000",
      DEADLINE_MS: "250",
      CONCURRENCY: "1",
      REDIS_URL: "redis://127.0.0.1:6379",
      STORE: "memory",
      IDEMPOTENCY_TTL_S: "60",
      QUOTA: "10",
      QUOTA_WINDOW_S: "5",
      QUOTA_COST: "weighted",
      QUOTA_MODE: "admit",
      ASYNC_ABOVE: "50",
      JOB_CHUNK: "20",
      WORKERS: "0",
    }
    expect(readConfiguration(environment)).toEqual({
      port: 0,
      framework: "express",
      databaseUrl: "sqlite:users.db",
      redisUrl: "redis://127.0.0.1:6379",
      store: "memory",
      maxOperations: 5,
      maxBodyBytes: 1000,
      deadlineMs: 250,
      concurrency: 1,
      idempotencyTtlSeconds: 60,
      quota: 10,
      quotaWindowSeconds: 5,
      quotaCost: "weighted",
      quotaMode: "admit",
      asyncAbove: 50,
      jobChunk: 20,
      workers: 0,
    })
  })

  it("stores keys in Redis if there is one, else in the database if it outlives the process", () => {
    const REDIS_URL = "redis://127.0.0.1:6379"
    expect(readConfiguration({ REDIS_URL, DATABASE_URL: "sqlite:users.db" }).store).toBe("redis")
    expect(readConfiguration({ DATABASE_URL: "sqlite:users.db" }).store).toBe("sql")
    expect(readConfiguration({ STORE: "sql" }).store).toBe("sql")
    expect(() => readConfiguration({ STORE: "redis" })).toThrow("STORE=redis needs a Redis server: set REDIS_URL too")
  })

  it.each([
    "sqlite::memory:",
    "sqlite:users.db",
    "pglite:data",
    "postgres://localhost/app",
    "postgresql://localhost/app",
    "mysql://localhost/app",
    "mariadb://localhost/app",
  ])("accepts the database %s", (DATABASE_URL) => {
    expect(readConfiguration({ DATABASE_URL }).databaseUrl).toBe(DATABASE_URL)
  })

  it.each(["users.db", "oracle://localhost/app", "sqlite:", "postgres:app", "mssql://localhost"])(
    "names the database %s and what is accepted",
    (DATABASE_URL) => {
      expect(() => readConfiguration({ DATABASE_URL })).toThrow(
        `DATABASE_URL=${DATABASE_URL} is not valid: expected sqlite::memory:, sqlite:<file>, pglite:<directory>`,
      )
    },
  )

  it("reports every wrong value, a line for each", () => {
    expect(() => readConfiguration({ PORT: "http", CONCURRENCY: "0", STORE: "redis" })).toThrow(
      "PORT=http is not valid: expected a whole number from 0 to 65535\n" +
        "CONCURRENCY=0 is not valid: expected a whole number from 1 to 10000\n" +
        "STORE=redis needs a Redis server: set REDIS_URL too",
    )
  })

  it.each([
    ["PORT", "http", "a whole number from 0 to 65535"],
    ["PORT", "65536", "a whole number from 0 to 65535"],
    ["PORT", "-1", "a whole number from 0 to 65535"],
    ["FRAMEWORK", "koa", "fastify or express"],
    ["REDIS_URL", "127.0.0.1:6379", "a URL such as redis://127.0.0.1:6379"],
    ["STORE", "disk", "memory, sql or redis"],
    ["MAX_OPERATIONS", "0", "a whole number from 1 to 1000000"],
    ["MAX_BODY_BYTES", "10MB", "a whole number from 1 to 1073741824"],
    ["DEADLINE_MS", "1e3", "a whole number from 1 to 2147483647"],
    ["CONCURRENCY", "1.5", "a whole number from 1 to 10000"],
    ["IDEMPOTENCY_TTL_S", "-5", "a whole number from 1 to 31536000"],
    ["QUOTA", "NaN", "a whole number from 1 to 1000000000000"],
    ["QUOTA_WINDOW_S", "0", "a whole number from 1 to 31536000"],
    ["QUOTA_COST", "free", "operations, batch or weighted"],
    ["QUOTA_MODE", "open", "reject or admit"],
    ["ASYNC_ABOVE", "-1", "a whole number from 1 to 1000000"],
    ["JOB_CHUNK", "0", "a whole number from 1 to 100000"],
    ["WORKERS", "101", "a whole number from 0 to 100"],
  ])("names %s=%s and what is accepted", (variable, value, accepted) => {
    expect(() => readConfiguration({ [variable]: value })).toThrow(
      `${variable}=${value} is not valid: expected ${accepted}`,
    )
  })

  it("documents every variable in the README", () => {
    const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8")
    for (const { name } of Object.values(variables)) expect(readme).toContain(`\`${name}\``)
  })

  it("shows no password", () => {
    expect(() => readConfiguration({ REDIS_URL: "http://me:secret@127.0.0.1" })).toThrow(
      "REDIS_URL=http://me:***@127.0.0.1 is not valid: expected a URL such as redis://127.0.0.1:6379",
    )
  })
})
