import type { Configuration } from "./Configuration.ts"
import { indexRoute } from "./indexRoute.ts"
import { readyRoute, type StoreCheck } from "./readyRoute.ts"
import type { Route } from "./Route.ts"

/** The routes that need no API key: what there is, whether the process serves, and whether its stores answer. */
export const publicRoutes = (configuration: Configuration, checks: ReadonlyArray<StoreCheck>): ReadonlyArray<Route> => [
  indexRoute(configuration),
  { method: "get", path: "/health", answer: () => ({ status: 200, body: { status: "ok" } }) },
  readyRoute(checks),
]
