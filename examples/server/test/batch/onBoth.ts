/** The same scenario on Express and on Fastify. */
import { afterAll, beforeAll, expect } from "vitest"
import { Api } from "./Api.ts"
import { frameworks, type ServerProcess, startServer } from "./ServerProcess.ts"

/**
 * Starts a server on each framework for the tests of a file; answers with what runs a scenario on one after the other.
 *
 * What the two servers answered has to be the same to the byte, unless a scenario says that they answer "differently".
 */
export const onBoth = (environment: Readonly<Record<string, string>> = {}) => {
  const servers: Array<ServerProcess> = []
  const apis: Array<Api> = []
  beforeAll(async () => {
    servers.push(...(await Promise.all(frameworks.map((framework) => startServer(framework, environment)))))
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
    if (answers === "equally") expect(transcripts[1]).toBe(transcripts[0])
  }
}
