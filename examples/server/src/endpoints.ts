/**
 * The endpoints that the server lists at `GET /` and when it starts.
 */
export interface EndpointSummary {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  readonly path: string
  readonly summary: string
}

/** Every endpoint, the batch endpoints first. */
export const endpoints: ReadonlyArray<EndpointSummary> = [
  { method: "POST", path: "/api/v1/users/bulk-create", summary: "Create many users" },
  { method: "POST", path: "/api/v1/users/bulk-update", summary: "Update many users" },
  { method: "POST", path: "/api/v1/users/bulk-delete", summary: "Delete many users" },
  { method: "POST", path: "/api/v1/users/batch", summary: "Run mixed actions on users: create, update, delete" },
  { method: "POST", path: "/api/v1/batch", summary: "Run a JSON batch: many requests to this server in one" },
  { method: "POST", path: "/api/v1/$batch", summary: "The same, with a Content-Type on each response (OData clients)" },
  {
    method: "GET",
    path: "/api/v1/users/batch/describe",
    summary: "Limits and quota; each batch endpoint has a /describe",
  },
  { method: "GET", path: "/api/v1/jobs/{id}", summary: "State of a job; its results are at /results" },
  { method: "POST", path: "/api/v1/users", summary: "Create a user" },
  { method: "GET", path: "/api/v1/users", summary: "List users; ?limit= from 1 to 100000, default 100" },
  { method: "GET", path: "/api/v1/users/{id}", summary: "Get a user" },
  { method: "PATCH", path: "/api/v1/users/{id}", summary: "Update a user" },
  { method: "DELETE", path: "/api/v1/users/{id}", summary: "Delete a user" },
  { method: "GET", path: "/api/v1/slow", summary: "Answer after ?ms= milliseconds, default 1000" },
  { method: "GET", path: "/api/v1/echo", summary: "Answer with the method, URL, headers and address of the request" },
  { method: "GET", path: "/api/v1/boom", summary: "Throw an exception" },
  { method: "GET", path: "/health", summary: "Liveness: 200 while the process serves requests" },
  { method: "GET", path: "/ready", summary: "Readiness: 200, or 503 with the store that does not answer" },
]

/** A command that creates one user and fails to create another, for a server at `origin`. */
export const exampleCommand = (origin: string): string =>
  `curl -i ${origin}/api/v1/users/bulk-create -H 'X-Api-Key: demo' -H 'Content-Type: application/json' ` +
  `-d '{"users":[{"name":"Ada"},{"name":""}]}'`
