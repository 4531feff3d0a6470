import { expect, it } from "vitest"

import { loadDriver } from "../../src/database/loadDriver.ts"

const missing = (name: string) => () =>
  Promise.reject(
    Object.assign(new Error(`Cannot find package '${name}' imported from here`), { code: "ERR_MODULE_NOT_FOUND" }),
  )

it("hands on the driver", async () => {
  expect(await loadDriver("pg", "PostgreSQL", async () => "driver")).toBe("driver")
})

it("names the package to install", async () => {
  await expect(loadDriver("pg", "PostgreSQL", missing("pg"))).rejects.toThrow(
    'A PostgreSQL database needs the package "pg": install it beside @multistatus/store-sql',
  )
})

it("passes on what is wrong inside an installed driver", async () => {
  await expect(loadDriver("pg", "PostgreSQL", missing("pg-pool"))).rejects.toThrow("Cannot find package 'pg-pool'")
})
