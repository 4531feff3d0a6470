import { capabilities } from "@multistatus/store-sql"
import { expect, it } from "vitest"

it.each(["sqlite", "pglite", "postgres", "mysql"] as const)(
  "a call on %s takes at most three statements, or runs in the process",
  (dialect) => {
    const { isolatesRows, statements } = capabilities(dialect)
    if (isolatesRows === "process") expect(statements).toBeUndefined()
    else expect(Math.max(...Object.values(statements ?? { none: 99 }))).toBeLessThanOrEqual(3)
  },
)
