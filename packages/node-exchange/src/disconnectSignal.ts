/** Detects that a client disconnects. */
import type { ServerResponse } from "node:http"

/** Returns a signal that is aborted when the client disconnects before the response is complete. */
export const disconnectSignal = (response: ServerResponse): AbortSignal => {
  const controller = new AbortController()
  const onClose = () => {
    if (!response.writableFinished) controller.abort()
  }
  if (response.destroyed) controller.abort()
  else response.once("close", onClose)
  return controller.signal
}
