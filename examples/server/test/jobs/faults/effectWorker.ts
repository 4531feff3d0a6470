/** A process that runs jobs and nothing else, until it is told to stop. */
import { type EffectsOptions, openEffects } from "./effects.ts"

const { close } = await openEffects(JSON.parse(process.argv[2] ?? "") as EffectsOptions)
process.once("SIGTERM", () => void close().then(() => process.exit(0)))
console.log("working")
