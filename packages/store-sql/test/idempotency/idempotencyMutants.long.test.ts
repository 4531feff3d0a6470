import { mutantSuites } from "../support/mutantSuites.ts"

mutantSuites((mutants) => mutants)
