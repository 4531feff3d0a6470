/** Whether a client is still there. */
import type { ServerResponse } from "node:http"

/** A signal that fires when the client goes away before it was answered. */
export const disconnectSignal = (response: ServerResponse): AbortSignal => {
  const controller = new AbortController()
  const onClose = () => {
    if (!response.writableFinished) controller.abort()
  }
  if (response.destroyed) controller.abort()
  else response.once("close", onClose)
  return controller.signal
}
