import type { Server } from "@multistatus/test-services"
import { describe, expect, test } from "vitest"
import { globalSetup, type Key } from "../src/Provided.ts"

const server = (events: Array<string>): Server => {
  const act = async (): Promise<void> => undefined
  const stop = async () => void events.push("stopped")
  return {
    url: "test://",
    port: 1,
    stop,
    kill: act,
    restart: act,
    pause: act,
    resume: act,
    [Symbol.asyncDispose]: stop,
  }
}

describe("globalSetup", () => {
  test("starts one server for all projects and stops it after the last of them", async () => {
    const events: Array<string> = []
    const start = async () => {
      events.push("started")
      return server(events)
    }
    const project = { provide: (key: Key, value: string) => void events.push(`${key}=${value}`) }
    const setups = [globalSetup("mariadbUrl", start), globalSetup("mariadbUrl", start)]
    const [first, second] = await Promise.all(setups.map((setup) => setup(project)))
    expect(events).toEqual(["started", "mariadbUrl=test://", "mariadbUrl=test://"])
    await first?.()
    expect(events).not.toContain("stopped")
    await second?.()
    expect(events).toContain("stopped")
  })
})
