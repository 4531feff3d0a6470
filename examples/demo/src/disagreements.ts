import { faultOf } from "./cities.ts"
import type { Client } from "./Client.ts"
import { count, type Report, tally } from "./Report.ts"

/** The differences between an import's report and the users in the server; empty if there are none. */
export const disagreements = async (client: Client, report: Report): Promise<ReadonlyArray<string>> => {
  const { body } = await client.get("/api/v1/users?limit=100000")
  const stored = (body as { readonly users: ReadonlyArray<unknown> }).users.length
  const faults = Array.from({ length: report.sent }, (_, index) => faultOf(index + 1)).filter(
    (fault) => fault !== undefined,
  )
  const [expected, refused] = [tally(faults), tally(report.refusals)]
  return [
    stored === report.created ? [] : `${count(report.created)} users were reported, the server has ${count(stored)}`,
    report.created + report.refusals.length === report.sent ? [] : "some rows were neither created nor refused",
    ...[...new Set([...expected.keys(), ...refused.keys()])].map((reason) =>
      expected.get(reason) === refused.get(reason)
        ? []
        : `${expected.get(reason) ?? 0} rows have the fault ${reason}, ${refused.get(reason) ?? 0} were refused for it`,
    ),
  ].flat()
}
