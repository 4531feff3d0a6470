import { setTimeout as delay } from "node:timers/promises"

import { resource, type Resource } from "@multistatus/core"
import * as z from "zod"

import { NewUser, UserPatch } from "./userInput.ts"
import type { Users } from "./Users.ts"

/** The actions on users, and two for tests: `sleep` waits for `data.ms` milliseconds, `boom` throws. */
export const userResource = (users: Users): Resource =>
  resource("users", {
    create: {
      input: NewUser,
      run: (user) => users.create(user),
      runMany: (items) => users.createMany(items.map(({ input }) => input)),
    },
    update: {
      input: UserPatch,
      run: (patch, { id }) => users.update(id, patch),
      runMany: (items) => users.updateMany(items.map(({ id, input }) => ({ id, patch: input }))),
    },
    delete: {
      run: async (_, { id }) => {
        await users.remove(id)
        return { id }
      },
      runMany: (items) => users.removeMany(items.map(({ id }) => id)),
    },
    sleep: {
      identified: false,
      input: z.object({ ms: z.int().min(0).max(600_000) }),
      run: ({ ms }, { signal }) => delay(ms, { slept: ms }, { signal }),
    },
    boom: {
      identified: false,
      run: () => {
        throw new Error("boom")
      },
    },
  })
