import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { manifestPaths, repositoryFields } from "../repository.ts"

describe("manifests", () => {
  test.each(manifestPaths())("%s names the repository, its directory, the issues and the author", (path) => {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../..", path), "utf8")) as object
    expect(manifest).toMatchObject({
      license: "MIT",
      description: expect.stringMatching(/\w{3}/),
      ...repositoryFields(path),
    })
  })

  test("there is one in every package", () => {
    expect(manifestPaths()).toContain("package.json")
    expect(manifestPaths()).toContain("packages/core/package.json")
    expect(manifestPaths().length).toBeGreaterThan(10)
  })
})
