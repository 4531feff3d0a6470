/** Signals that tolerate a process which is already gone. */

/** Sends a signal to each process; false when none of them exists any more. */
export const sendSignal = (pids: ReadonlyArray<number>, signal: NodeJS.Signals | 0): boolean => {
  let delivered = false
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
      delivered = true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
    }
  }
  return delivered
}
