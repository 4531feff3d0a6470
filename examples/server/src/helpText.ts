import { variables } from "./Configuration.ts"

/** The text of `--help`: every environment variable with its meaning, valid values and default. */
export const helpText = (): string => {
  const entries = Object.values(variables).map(({ name, meaning, accepted, defaultText }) => [
    `  ${name.padEnd(nameWidth)}${meaning}.`,
    `  ${" ".repeat(nameWidth)}Accepts ${accepted}.`,
    `  ${" ".repeat(nameWidth)}Default: ${defaultText}.`,
  ])
  return [
    "Starts the Multistatus reference server. Environment variables configure it:",
    "",
    ...entries.flat(),
    "",
    "Example: PORT=8080 FRAMEWORK=express DATABASE_URL=sqlite:users.db npx --yes pnpm@12 start",
  ].join("\n")
}

const nameWidth = 19
