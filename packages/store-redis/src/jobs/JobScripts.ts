/**
 * All Lua scripts of the job store.
 *
 * @since 0.1.0
 */
import { admissionScripts } from "./AcceptanceScripts.ts"
import { jobCareScripts } from "./JobCareScripts.ts"
import { jobChunkScripts } from "./JobChunkScripts.ts"
import { jobUploadScripts } from "./JobUploadScripts.ts"

/** @category constructors @since 0.1.0 */
export const jobScripts = {
  ...jobUploadScripts,
  ...jobChunkScripts,
  ...jobCareScripts,
  ...admissionScripts,
} as const

/** @category models @since 0.1.0 */
export type JobScripts = { readonly [Name in keyof typeof jobScripts]: string }
