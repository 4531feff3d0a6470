/**
 * An application with its routes, ready to listen, whatever its framework.
 */
export interface Host<App> {
  readonly app: App
  /** Listens on 127.0.0.1 and resolves with the port; 0 picks a free one. */
  readonly listen: (port: number) => Promise<number>
  /** Refuses new connections, waits for running requests, and closes the stores. */
  readonly close: () => Promise<void>
}
