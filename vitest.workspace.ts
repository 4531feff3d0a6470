import { existsSync, globSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { defineConfig, mergeConfig } from "vitest/config"

/**
 * One project per workspace package. What a package needs beyond these defaults stands in its own `vitest.config.ts`.
 *
 * `--mode long` runs the files `*.long.test.ts` alone; every other run leaves them out.
 */
export default defineConfig(async ({ mode }) => ({
  test: {
    // Tests wait for servers and clocks more than they compute; by itself Vitest would leave one core unused.
    maxWorkers: availableParallelism(),
    projects: await Promise.all(packages().map((root) => project(root, mode === "long"))),
  },
}))

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
      ...(long && { testTimeout: 600_000 }),
    },
  })
}
