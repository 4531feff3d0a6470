import { it } from "vitest"

import { killRounds } from "./killRounds.ts"

it("a server killed fifty times has all of a batch or nothing of it", () => killRounds(50), 900_000)
