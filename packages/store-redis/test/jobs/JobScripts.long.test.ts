import { expect, it } from "vitest"
import { mutants, mutantTests } from "../support/jobMutants.ts"

const answers = mutantTests(mutants, { seeds: [1, 2, 3, 4, 5, 6, 7, 8], commands: 4_000 })

it.each(["accepted", "exists", "full", "tenant-full", "gone", "kept", "refused", "forgotten"])(
  "the commands lead to the answer %s",
  (word) => {
    expect(answers.filter((text) => text.includes(`"${word}"`)).length).toBeGreaterThan(3)
  },
)

it.each(["queued", "running", "succeeded", "partial", "failed", "cancelled"])(
  "the commands lead to the state %s",
  (word) => {
    expect(answers.filter((text) => text.includes(`"state":"${word}"`)).length).toBeGreaterThan(3)
  },
)
