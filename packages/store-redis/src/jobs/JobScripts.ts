/** All Lua scripts of the job store. */
import { admissionScripts } from "./AcceptanceScripts.ts"
import { jobCareScripts } from "./JobCareScripts.ts"
import { jobChunkScripts } from "./JobChunkScripts.ts"
import { jobUploadScripts } from "./JobUploadScripts.ts"

export const jobScripts = {
  ...jobUploadScripts,
  ...jobChunkScripts,
  ...jobCareScripts,
  ...admissionScripts,
} as const

export type JobScripts = { readonly [Name in keyof typeof jobScripts]: string }
