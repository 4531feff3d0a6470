/** Runs the same scenario on Express and on Fastify. */
import { afterAll, beforeAll, expect } from "vitest"
import { Api } from "./Api.ts"
import { type Framework, frameworks, type ServerProcess, startServer } from "./ServerProcess.ts"

/**
 * Starts a server on each framework and returns a function that runs a scenario on each of them in turn.
 *
 * The answers of the two servers have to be the same to the byte, unless a scenario says that they answer "differently".
 */
export const onBoth = (environment: Readonly<Record<string, string>> = {}) => onEach(frameworks, environment)

/** The same on these frameworks: on one, where the subject does not depend on the framework. */
export const onEach = (given: ReadonlyArray<Framework>, environment: Readonly<Record<string, string>>) => {
  const servers: Array<ServerProcess> = []
  const apis: Array<Api> = []
  beforeAll(async () => {
    servers.push(...(await Promise.all(given.map((framework) => startServer(framework, environment)))))
    apis.push(...servers.map(({ origin }) => new Api(origin)))
  })
  afterAll(async () => {
    for (const api of apis) api.close()
    await Promise.all(servers.map((server) => server.stop()))
  })
  return async (
    scenario: (api: Api) => Promise<void>,
    answers: "equally" | "differently" = "equally",
  ): Promise<void> => {
    const transcripts: Array<string> = []
    for (const api of apis) {
      await api.reset()
      await scenario(api)
      transcripts.push(api.transcript())
    }
    if (answers === "differently") return
    for (const transcript of transcripts) expect(transcript).toBe(transcripts[0])
  }
}
