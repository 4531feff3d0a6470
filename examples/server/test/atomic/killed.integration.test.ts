import { it } from "vitest"

import { killRounds } from "./killRounds.ts"

it(
  "a server that is killed in the midst of an atomic batch has done all of it or nothing",
  () => killRounds(2),
  180_000,
)
