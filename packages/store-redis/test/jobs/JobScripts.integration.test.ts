import { mutants, mutantTests } from "../support/jobMutants.ts"

// One mistake for each script; all of them, and many more commands, run with the long tests.
mutantTests(
  mutants.filter(([script], index) => mutants.findIndex(([other]) => other === script) === index),
  { seeds: [1], commands: 4_000 },
)
