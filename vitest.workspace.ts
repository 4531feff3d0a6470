import { existsSync, globSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { defineConfig, mergeConfig } from "vitest/config"

/**
 * One project for each workspace package. A package that needs more than these defaults has its own `vitest.config.ts`.
 *
 * `--mode long` runs the files `*.long.test.ts` alone; every other run leaves them out.
 */
export default defineConfig(async ({ mode }) => ({
  test: { projects: await Promise.all(packages().map((root) => project(root, mode === "long"))) },
}))

/** Projects whose tests mostly wait, for databases, processes and clocks. They run after the others. */
const waiting = new Set([
  "examples/server",
  "examples/worker",
  "packages/store-redis",
  "packages/store-sql",
  "test-services",
])

const packages = (): ReadonlyArray<string> =>
  globSync(["packages/*", "examples/*", "test-services", "scripts"], { cwd: import.meta.dirname })
    .filter((root) => existsSync(join(import.meta.dirname, root, "package.json")) || root === "scripts")
    .sort()

const project = async (root: string, long: boolean) => {
  const config = join(import.meta.dirname, root, "vitest.config.ts")
  const own = existsSync(config) ? (await import(pathToFileURL(config).href)).default : {}
  const merged = mergeConfig({ test: { testTimeout: 20_000, hookTimeout: 60_000 } }, own)
  return mergeConfig(merged, {
    root: join(import.meta.dirname, root),
    test: {
      name: root.replace(/^packages\//, ""),
      include: [long ? "**/*.long.test.ts" : "**/*.test.ts"],
      exclude: ["**/node_modules/**", "**/dist/**", ...(long ? [] : ["**/*.long.test.ts"])],
      // One worker more than there are cores uses the time that tests wait. Some tests of the others measure latencies.
      maxWorkers: availableParallelism() + (waiting.has(root) ? 1 : 0),
      sequence: { groupOrder: waiting.has(root) ? 1 : 0 },
      // Files share the modules of their worker: importing Effect anew for each file takes longer than most files run.
      isolate: false,
      env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/node") },
      ...(long && { testTimeout: 600_000 }),
    },
  })
}
