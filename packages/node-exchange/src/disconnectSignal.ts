/**
 * Whether a client is still there.
 *
 * @since 0.1.0
 */
import type { ServerResponse } from "node:http"

/**
 * A signal that fires when the client goes away before it was answered.
 *
 * @category getters
 * @since 0.1.0
 */
export const disconnectSignal = (response: ServerResponse): AbortSignal => {
  const controller = new AbortController()
  const onClose = () => {
    if (!response.writableFinished) controller.abort()
  }
  if (response.destroyed) controller.abort()
  else response.once("close", onClose)
  return controller.signal
}
