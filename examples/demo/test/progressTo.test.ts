import { PassThrough } from "node:stream"
import { text } from "node:stream/consumers"

import { expect, it } from "vitest"

import { progressTo } from "../src/progressTo.ts"

it("writes one line for each tenth if the stream is no terminal", async () => {
  const stream = new PassThrough()
  const progress = progressTo(Object.assign(stream, { isTTY: false }) as unknown as NodeJS.WriteStream, 2000)
  for (const done of [100, 200, 250, 900, 2000]) progress.update(done)
  progress[Symbol.dispose]()
  stream.end()
  expect(await text(stream)).toBe("10 % | 200 of 2,000 rows\n40 % | 900 of 2,000 rows\n100 % | 2,000 of 2,000 rows\n")
})
