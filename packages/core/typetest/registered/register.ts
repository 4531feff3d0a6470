/** An application registers the types of `tx`, `request` and `tenant`. */
import { resource } from "@multistatus/core"
import { createBatch } from "@multistatus/core/adapter"
import { check, type Equal } from "../Equal.ts"

interface Database {
  readonly insert: (name: string) => Promise<void>
}

interface AppRequest {
  readonly user: { readonly account: string }
}

declare module "@multistatus/core" {
  interface Register {
    readonly tx: Database
    readonly request: AppRequest
    readonly tenant: string
  }
}

const users = resource("users", {
  create: {
    run: (_, { tx, request, tenant }) => {
      check<Equal<typeof tx, Database>>()
      check<Equal<typeof request, AppRequest>>()
      check<Equal<typeof tenant, string>>()
    },
    runMany: (items, { tx, request, tenant }) => {
      check<Equal<typeof tx, Database>>()
      check<Equal<typeof request, AppRequest>>()
      check<Equal<typeof tenant, string>>()
      return items
    },
  },
})

createBatch<AppRequest>({ tenant: ({ user }) => user.account }).operations(users)
// @ts-expect-error Every request has a tenant.
createBatch<AppRequest>({ tenant: ({ user }) => (user.account === "" ? undefined : user.account) })
