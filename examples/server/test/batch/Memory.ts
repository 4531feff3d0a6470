/** The memory of a process, as Linux counts it. */
import { readFileSync, writeFileSync } from "node:fs"

/** Sets the peak to what is resident now. */
export const resetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5")

/** Resident memory now and at its peak since the last reset, in MiB. */
export const memoryOf = (pid: number): { readonly now: number; readonly peak: number } => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const mebibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]) / 1024
  return { now: mebibytes("VmRSS"), peak: mebibytes("VmHWM") }
}
