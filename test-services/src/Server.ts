/** What every started server offers to a test, whatever its product. */

/**
 * A real database server that belongs to this process alone.
 *
 * **Details** It listens on a free port of 127.0.0.1 and keeps its data in a temporary directory. It does not outlive the
 * process that started it, however that process ends.
 */
export interface Server extends AsyncDisposable {
  /** Where clients connect; the same after `restart`. */
  readonly url: string

  /** The port on 127.0.0.1; the same after `restart`. */
  readonly port: number

  /** Ends the server in the orderly way and removes its data. A second call does nothing. */
  readonly stop: () => Promise<void>

  /**
   * Sends a signal and resolves when the server is gone, its data still there for `restart`.
   *
   * Default `SIGKILL`, which takes the server's child processes with it: nothing is flushed, as in a power cut.
   */
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>

  /** Starts the server again after `kill`: same port, same data, recovered by the server itself. */
  readonly restart: () => Promise<void>

  /** Freezes every process of the server: connections stay open and nothing answers. */
  readonly pause: () => Promise<void>

  /** Thaws what `pause` froze. */
  readonly resume: () => Promise<void>
}

/** How a server treats what it was told to keep. */
export interface ServerOptions {
  /** Whether a commit reaches the disk before it is confirmed. Default false, which is several times faster. */
  readonly durable?: boolean | undefined
}
