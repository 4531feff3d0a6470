import { expect, it } from "vitest"

import { OutageReport } from "../../../src/jobs/pgboss/OutageReport.ts"

it("reports the cause once for each outage, and the number of errors at its end", () => {
  const reported: Array<unknown> = []
  const report = new OutageReport({ onError: (error) => reported.push(error), quietMs: 60_000 })
  const refused = { message: "connect ECONNREFUSED 127.0.0.1:5432", code: "ECONNREFUSED", queue: "chunks" }
  for (let error = 0; error < 55; error++) report.add(refused)
  report.close()
  report.add(new AggregateError([], ""))
  report.close()
  expect(reported.map(String)).toEqual([
    "Error: pg-boss failed: connect ECONNREFUSED 127.0.0.1:5432",
    "Error: pg-boss works again, after 55 errors in a row",
    "Error: pg-boss failed: AggregateError",
  ])
  expect((reported[0] as Error).cause).toBe(refused)
})
