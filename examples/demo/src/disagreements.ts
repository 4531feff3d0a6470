import { faultOf } from "./cities.ts"
import type { Client } from "./Client.ts"
import { count, type Report, tally } from "./Report.ts"

/** What is in the server and not as an import reports it: nothing, if all is well. */
export const disagreements = async (client: Client, report: Report): Promise<ReadonlyArray<string>> => {
  const { body } = await client.get("/api/v1/users?limit=100000")
  const held = (body as { readonly users: ReadonlyArray<unknown> }).users.length
  const broken = Array.from({ length: report.sent }, (_, index) => faultOf(index + 1)).filter(
    (fault) => fault !== undefined,
  )
  const [expected, refused] = [tally(broken), tally(report.refusals)]
  return [
    held === report.created ? [] : `${count(report.created)} users were reported, ${count(held)} are there`,
    report.created + report.refusals.length === report.sent ? [] : "some rows were neither created nor refused",
    ...[...new Set([...expected.keys(), ...refused.keys()])].map((reason) =>
      expected.get(reason) === refused.get(reason)
        ? []
        : `${expected.get(reason) ?? 0} rows are broken by ${reason}, ${refused.get(reason) ?? 0} were refused for it`,
    ),
  ].flat()
}
