import { mutantSuites } from "../support/mutantSuites.ts"

// One for each statement; all of them run with the long tests.
mutantSuites((mutants) => mutants.filter(([text], index) => mutants.findIndex(([other]) => other === text) === index))
