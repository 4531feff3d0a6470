import { it } from "vitest"

import { killRounds } from "./killRounds.ts"

it(
  "a server that is killed fifty times applies all of an atomic batch or nothing each time",
  () => killRounds(50),
  900_000,
)
