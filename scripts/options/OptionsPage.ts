/** The page `docs/options.md`: tables of all options, grouped. */
import type { AnyOptionGroup } from "../../packages/core/src/options/Option.ts"
import { code, type OptionRow, rowsOf } from "./OptionRow.ts"
import { type Section, sections } from "./OptionSections.ts"

/** The rows of all tables, in order. */
export const rows = (): ReadonlyArray<OptionRow> => sections.flatMap(rowsOfSection)

/** The text of the page. */
export const render = (): string => {
  const parts = [
    "# Options",
    "<!-- `npx --yes pnpm@12 docs:options` writes this page. To change it, change the definitions of the options. -->",
    "A wrong option throws a `TypeError` at start-up that names it. A duration is a number of milliseconds, or a text such as\n" +
      '`"15 seconds"`, `"2 minutes"` or `"1 day"`.',
    ...sections.flatMap((section) => [`## ${section.title}`, section.introduction, table(rowsOfSection(section))]),
  ]
  return `${parts.join("\n\n")}\n`
}

const rowsOfSection = ({ path, groups }: Section): ReadonlyArray<OptionRow> =>
  groups.flatMap((group) => rowsOf(group, path, linkTo))

const linkTo = (group: AnyOptionGroup): string | undefined => {
  const section = sections.find(({ groups }) => groups.includes(group))
  return section && `[object](#${section.title.toLowerCase()})`
}

const table = (shown: ReadonlyArray<OptionRow>): string => {
  const cells = [
    ["option", "type", "default", "unit", "meaning", "explained in"],
    ...shown.map(({ path, type, default: value, unit, description, page }) => [
      code(path),
      type,
      value,
      unit,
      description,
      `[${page.split(".md", 1)[0]}](${page})`,
    ]),
  ].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")))
  // The formatter pads tables in the same way.
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  const [head, ...body] = cells.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`,
  )
  return [head, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body].join("\n")
}
