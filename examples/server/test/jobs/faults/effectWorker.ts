/** A process that only runs jobs, until SIGTERM. */
import { type EffectsOptions, openEffects } from "./effects.ts"

const { close } = await openEffects(JSON.parse(process.argv[2] ?? "") as EffectsOptions)
process.once("SIGTERM", () => void close().then(() => process.exit(0)))
console.log("working")
