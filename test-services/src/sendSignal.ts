/**
 * Signals that tolerate a process which is already gone.
 *
 * @since 0.1.0
 */

/**
 * Sends a signal to each process; false when none of them exists any more.
 *
 * @category signals
 * @since 0.1.0
 */
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
