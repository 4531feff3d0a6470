import { describe, expect, test } from "vitest"
import { entryPoints } from "../exports/EntryPoint.ts"
import { ofEntryPoint } from "../exports/PublicExport.ts"

describe("entry points", () => {
  test("are those of the published packages", () => {
    expect(entryPoints().map(({ name }) => name)).toEqual([
      "@multistatus/adapter-express",
      "@multistatus/adapter-fastify",
      "@multistatus/core",
      "@multistatus/core/adapter",
      "@multistatus/core/format",
      "@multistatus/core/store",
      "@multistatus/core/effect",
      "@multistatus/core/testing",
      "@multistatus/node-exchange",
      "@multistatus/node-exchange/testing",
      "@multistatus/store-redis",
      "@multistatus/store-redis/effect",
      "@multistatus/store-sql",
      "@multistatus/store-sql/effect",
    ])
  })

  test("the main entry point of core exports at most 45 names, a namespace counting as one", () => {
    const core = entryPoints().find(({ name }) => name === "@multistatus/core")!
    const names = new Set(ofEntryPoint(core.source).map(({ name }) => name.split(".", 1)[0]))
    expect(names.size).toBeGreaterThan(0)
    expect(names.size).toBeLessThanOrEqual(45)
  })
})
