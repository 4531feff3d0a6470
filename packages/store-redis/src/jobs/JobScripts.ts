/** All Lua scripts of the job store. */
import { acceptanceScripts } from "./AcceptanceScripts.ts"
import { jobCareScripts } from "./JobCareScripts.ts"
import { jobChunkScripts } from "./JobChunkScripts.ts"
import { jobUploadScripts } from "./JobUploadScripts.ts"

export const jobScripts = {
  ...jobUploadScripts,
  ...jobChunkScripts,
  ...jobCareScripts,
  ...acceptanceScripts,
} as const

export type JobScripts = { readonly [Name in keyof typeof jobScripts]: string }
