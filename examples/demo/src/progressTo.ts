import { Presets, SingleBar } from "cli-progress"

import { count } from "./Report.ts"

/** The progress of an import on a stream. */
export interface Progress extends Disposable {
  readonly update: (done: number) => void
}

/** Shows progress on a stream: a bar on a terminal, else a line for each tenth. */
export const progressTo = (stream: NodeJS.WriteStream, total: number): Progress =>
  stream.isTTY ? barOn(stream, total) : linesOn(stream, total)

const barOn = (stream: NodeJS.WriteStream, total: number): Progress => {
  const bar = new SingleBar(
    { stream, format: "{bar} {percentage} % | {value} of {total} rows | {eta_formatted} left", hideCursor: true },
    Presets.shades_classic,
  )
  bar.start(total, 0)
  return { update: (done) => bar.update(done), [Symbol.dispose]: () => bar.stop() }
}

const linesOn = (stream: NodeJS.WritableStream, total: number): Progress => {
  let tenths = 0
  return {
    update: (done) => {
      const reached = Math.floor((done / total) * 10)
      if (reached <= tenths) return
      tenths = reached
      stream.write(`${reached * 10} % | ${count(done)} of ${count(total)} rows\n`)
    },
    [Symbol.dispose]: () => undefined,
  }
}
