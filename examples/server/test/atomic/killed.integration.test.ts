import { it } from "vitest"

import { killRounds } from "./killRounds.ts"

it("a server that is killed during an atomic batch applies all of it or nothing", () => killRounds(2), 180_000)
