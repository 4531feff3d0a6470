/** Writes `docs/options.md`. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { render } from "./options/OptionsPage.ts"

writeFileSync(join(import.meta.dirname, "../docs/options.md"), render())
