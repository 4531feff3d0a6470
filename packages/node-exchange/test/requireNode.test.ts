import { expect, it } from "vitest"
import { requireNode } from "../src/requireNode.ts"

it.each(["18.20.8", "20.20.2", "22.18.0"])("refuses Node.js %s in one sentence", (version) => {
  expect(() => requireNode(version)).toThrow(
    `Multistatus needs Node.js 22.19 or later, and this is Node.js ${version}: start a newer version`,
  )
})

it.each(["22.19.0", "23.0.0", "24.1.0", "100.0.0"])("accepts Node.js %s", (version) => {
  expect(() => requireNode(version)).not.toThrow()
})
