import { it } from "vitest"

import { killRounds } from "./killRounds.ts"

it("a server that is killed fifty times has all of a batch or nothing", () => killRounds(50), 900_000)
